"""What every key of a run's JSON files and every column of its tables means, read off the types."""

from __future__ import annotations

from mendel.results.audit import AuditRecord
from mendel.results.basis import BASIS, Basis
from mendel.results.findings import FINDINGS
from mendel.results.manifest import MANIFEST, Manifest
from mendel.results.records import KeyDescription, describe_record
from mendel.results.tables import SCHEMAS
from mendel.results.verdicts import VERDICTS, Verdicts


def describe() -> list[KeyDescription]:
    """Describe the files of a run's folder.

    Returns:
        A description for each key and column: (file, key or column, type, meaning). The order is that of
        the files: verdicts.json, the four tables, manifest.json, basis.json, the files of `mendel locate`,
        `virulence` and `selectors`, and the audit.json of an audit's folder.
    """
    described = list(describe_record(Verdicts, VERDICTS))
    for name, columns in SCHEMAS.items():
        described += [KeyDescription(f"{name}.parquet", *column) for column in columns]
    described += describe_record(Manifest, MANIFEST)
    described += describe_record(Basis, BASIS)
    for kind, record in FINDINGS.items():
        described += describe_record(record, f"{kind}/TRAIT.json")
    return [*described, *describe_record(AuditRecord, "audit.json")]
