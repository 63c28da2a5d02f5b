"""Which endpoint a study names: an address, and a model's name there."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from mendel.engine.digest import digest
from mendel.engine.errors import InputError

DEFAULT_URL = "https://api.openai.com/v1"
SCHEME = "openai:"
FORMS = "openai:URL#MODEL, openai:MODEL"
KEY = re.compile(r"(sk|gsk|xai|hf|pk|AIza)[-_][\w-]{12,}|AIza[\w-]{20,}")
"""What providers' keys look like."""


@dataclass(frozen=True)
class EndpointSpec:
    """A model behind an OpenAI-compatible endpoint, as a value."""

    base_url: str
    """Without a slash at its end. It can hold nothing secret."""
    model: str
    """The model's name at the endpoint."""

    @property
    def digest(self) -> str:
        """Content address of address and name: an endpoint's weights cannot be seen, so these count as the
        model.
        """
        return digest("endpoint", [self.base_url, self.model])

    @property
    def host(self) -> str:
        """The host's name, without a port."""
        return urlsplit(self.base_url).hostname or ""

    @property
    def on_this_machine(self) -> bool:
        """Whether the address is a loopback address: such a server costs nothing and needs no key."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def parse_endpoint(ref: str, where: str | None = None) -> EndpointSpec:
    """Return the endpoint that a reference names.

    Args:
        ref: `openai:URL#MODEL`, or `openai:MODEL` for OpenAI itself.
        where: Where the reference stands, for messages.

    Returns:
        The endpoint.

    Raises:
        InputError: The reference is malformed, or it contains a user, a password, a query or a key. The
            message does not repeat these.
    """
    rest = ref.removeprefix(SCHEME)
    if KEY.search(rest) or "@" in rest.partition("#")[0] or "?" in rest.partition("#")[0]:
        raise InputError(
            "a key, a user or a query stands in the endpoint's reference",
            where=where,
            allowed=FORMS,
            fix="Put the key into an environment variable and write its name: 'endpoint: {key: NAME}'. "
            "If the file was shared with the key in it, have the key replaced.",
        )
    if not ref.startswith(SCHEME) or not rest.strip():
        raise InputError("not an endpoint", where=where, value=ref, allowed=FORMS)
    if "://" not in rest.partition("#")[0]:
        return _of_openai(ref, rest, where)
    url, _, model = rest.partition("#")
    if not model.strip():
        raise InputError(
            "no model is named",
            where=where,
            value=ref,
            allowed=FORMS,
            fix=f"Write the model's name there: openai:{url}#MODEL.",
        )
    return EndpointSpec(_checked(url, ref, where), model.strip())


def _of_openai(ref: str, model: str, where: str | None) -> EndpointSpec:
    if "#" in model or re.match(r"[\w.-]+:\d+(/|$)", model):
        fix = f"Write the whole address: openai:http://{model if '#' in model else model + '#MODEL'}."
        raise InputError("the address has no http://", where=where, value=ref, allowed=FORMS, fix=fix)
    return EndpointSpec(DEFAULT_URL, model.strip())


def _checked(url: str, ref: str, where: str | None) -> str:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or any(character.isspace() for character in url):
        raise InputError(
            "not an http address",
            where=where,
            value=ref,
            allowed=FORMS,
            fix="Such as openai:http://127.0.0.1:8000/v1#MODEL.",
        )
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}"
