"""Plug-ins: names and their owners, packages that are broken, options."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import BaseModel, Field

from _plugins import install
from mendel.engine.errors import InputError
from mendel.engine.registry import Origin, Registry, callable_with, instance_of

BUILT_IN = Origin("mendel", "mendel.data.selectors.plain")


@dataclass(frozen=True)
class Rule:
    """A plug-in that is a value."""

    name: str
    score: float = 0.0


def length(candidates: object, context: object) -> list[float]:
    return []


def brevity(candidates: object, context: object) -> list[float]:
    return []


def selectors() -> Registry[Callable[..., object]]:
    registry: Registry[Callable[..., object]] = Registry(
        "selector", check=callable_with("candidates", "context")
    )
    registry.add("length", length, BUILT_IN)
    return registry


def rules() -> Registry[Rule]:
    registry: Registry[Rule] = Registry("rule", check=instance_of(Rule))
    registry.add("strict", Rule("strict"), BUILT_IN)
    return registry


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of installed packages; what is imported from it is forgotten afterwards."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        del sys.modules[name]


GOOD = "def brevity(candidates, context):\n    return []\n"


class TestNames:
    def test_a_second_instance_under_a_built_in_name_is_refused(self) -> None:
        registry = rules()
        with pytest.raises(InputError, match="a rule of that name is already registered by mendel"):
            registry.register("strict")(Rule("strict", 1.0))
        assert registry.get("strict").score == 0.0

    def test_an_equal_instance_of_another_package_is_refused_too(self) -> None:
        registry = rules()
        with pytest.raises(InputError, match="my_pkg: rule 'strict': a rule of that name is already"):
            registry.add("strict", Rule("strict"), Origin("my_pkg", "my_pkg.rules"))

    def test_a_second_function_under_a_built_in_name_is_refused(self) -> None:
        registry = selectors()
        with pytest.raises(InputError, match=r"already registered by mendel.*Choose another name"):
            registry.register("length")(brevity)
        assert registry.get("length") is length

    def test_a_package_that_registers_a_function_of_mendel_owns_the_name(self) -> None:
        registry = selectors()
        registry.register("mine")(length)
        assert registry.origin("mine").package == __name__

    def test_a_second_thing_in_one_module_is_refused(self) -> None:
        registry = rules()
        registry.register("mine")(Rule("a"))
        with pytest.raises(InputError, match="already registered"):
            registry.register("mine")(Rule("b"))
        functions = selectors()
        functions.register("two")(lambda candidates, context: [1.0])
        with pytest.raises(InputError, match="already registered"):
            functions.register("two")(lambda candidates, context: [2.0])

    def test_two_packages_may_share_a_plain_name_and_are_told_apart_by_theirs(self) -> None:
        registry = selectors()
        registry.add("brevity", brevity, Origin("one", "one.selectors"))
        assert registry.full_name("brevity") == "one/brevity"
        registry.add("brevity", length, Origin("two", "two"))
        assert registry.get("one/brevity") is brevity
        assert registry.get("two/brevity") is length
        with pytest.raises(InputError) as caught:
            registry.get("brevity", where="study.yaml:4")
        assert str(caught.value) == (
            "study.yaml:4: several packages have a selector 'brevity' (allowed: one/brevity, two/brevity)"
        )

    def test_a_script_has_plain_names_and_may_define_a_name_again(self) -> None:
        registry = selectors()
        script = Origin("__main__", "__main__")
        registry.add("mine", brevity, script)
        registry.add("mine", length, script)
        assert registry.full_name("mine") == "mine"
        registry.add("mine", brevity, Origin("one", "one"))
        assert registry.get("mine") is length
        with pytest.raises(InputError, match="already registered by mendel"):
            registry.add("length", brevity, script)

    @pytest.mark.parametrize("name", ["", "a/b", " a"])
    def test_a_name_is_one_word_without_its_package(self, name: str) -> None:
        with pytest.raises(InputError, match="is not a valid name"):
            selectors().register(name)(brevity)

    def test_an_unknown_name_is_answered_with_the_closest(self) -> None:
        with pytest.raises(InputError) as caught:
            selectors().get("lenght", where="s.yaml:2")
        assert str(caught.value) == "s.yaml:2: unknown selector 'lenght'. Did you mean 'length'?"

    def test_a_plug_in_can_be_removed(self) -> None:
        registry = selectors()
        registry.register("mine")(brevity)
        registry.remove("mine")
        assert list(registry) == ["length"]
        assert "mine" not in registry


class TestChecks:
    @pytest.mark.parametrize(
        ("item", "what"),
        [
            (lambda candidates: [], r"must be a function of \(candidates, context\): too many positional"),
            (lambda a, b, c: [], r"must be a function of \(candidates, context\): missing a required"),
            (3, r"must be a function of \(candidates, context\), not a int"),
        ],
    )
    def test_another_signature_is_refused(self, item: Callable[..., object], what: str) -> None:
        with pytest.raises(InputError, match=what + ".*Change it in test_registry"):
            selectors().register("mine")(item)

    def test_a_class_is_a_function_of_its_constructors_arguments(self) -> None:
        assert callable_with("name", "score")(Rule) == ""
        assert "too many" in callable_with("name", "score", "more")(Rule)

    def test_a_value_of_another_type_is_refused(self) -> None:
        with pytest.raises(InputError, match="must be a Rule, not a str"):
            rules().register("mine")("strict")  # type: ignore[arg-type]


class TestEntryPoints:
    def test_an_entry_point_names_a_plug_in(self, site: Path) -> None:
        install(
            site, "ep_object", {"scores.py": GOOD}, "[mendel.selectors]\nshort = ep_object.scores:brevity\n"
        )
        registry = selectors()
        assert list(registry) == ["ep_object/short", "length"]
        assert registry.get("short") is sys.modules["ep_object.scores"].brevity
        assert registry.origin("short") == Origin("ep_object", "ep_object.scores")
        assert registry.origin("short").version() == "1.2"

    def test_an_entry_point_names_a_module_whose_decorators_register(
        self, site: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        registry = selectors()
        monkeypatch.setattr("_plugins.registry", registry, raising=False)
        text = "from _plugins import registry\n\n@registry.register('short')\n" + GOOD
        install(site, "ep_module", {"scores.py": text}, "[mendel.selectors]\nall = ep_module.scores\n")
        assert registry.full_name("short") == "ep_module/short"
        # A module that is imported again registers the same things.
        importlib.reload(sys.modules["ep_module.scores"])
        assert list(registry) == ["ep_module/short", "length"]
        assert registry.faults() == []

    def test_an_entry_point_may_name_what_a_decorator_registered(
        self, site: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        registry = selectors()
        monkeypatch.setattr("_plugins.registry", registry, raising=False)
        text = "from _plugins import registry\n\n@registry.register('short')\n" + GOOD
        points = "[mendel.selectors]\nbrief = ep_both.scores:brevity\n"
        install(site, "ep_both", {"scores.py": text}, points)
        assert registry.full_name("brief") == "ep_both/short"
        assert registry.full_name("ep_both/brief") == "ep_both/short"
        assert list(registry) == ["ep_both/short", "length"]

    def test_a_decorator_that_registers_another_form_of_a_function_is_no_clash(
        self, site: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        registry = rules()
        monkeypatch.setattr("_plugins.registry", registry, raising=False)
        text = (
            "from _plugins import registry\nfrom test_registry import Rule\n\n"
            "def mild():\n    return 0.5\n\nregistry.register('mild')(Rule('mild', mild()))\n"
        )
        install(site, "ep_form", {"rules.py": text}, "[mendel.rules]\nmild = ep_form.rules:mild\n")
        assert registry.full_name("mild") == "ep_form/mild"
        assert registry.faults() == []

    def test_the_version_of_an_editable_install_is_found_by_its_entry_point(self, site: Path) -> None:
        points = "[mendel.selectors]\nshort = ep_editable.scores:brevity\n"
        install(site, "ep_editable", {"scores.py": GOOD}, points, version="0.3")
        (site / "ep_editable-0.3.dist-info" / "top_level.txt").unlink()
        assert selectors().origin("short").version() == "0.3"

    def test_a_package_without_a_distribution_has_no_version(self) -> None:
        assert Origin("test_registry", "test_registry").version() is None
        assert Origin("mendel", "mendel").version() is not None


BROKEN = {
    "taken": (
        "def length(candidates, context):\n    return []\n",
        "length = {p}.scores:length",
        "a selector of that name is already registered by mendel.data.selectors.plain. Choose another name.",
    ),
    "signature": (
        "def brevity(candidates):\n    return []\n",
        "short = {p}.scores:brevity",
        r"must be a function of \(candidates, context\): too many positional arguments. "
        r"Change it in {p}.scores.",
    ),
    "exception": (
        "raise OSError('no licence')\n",
        "short = {p}.scores",
        "cannot be imported: OSError: no licence. Correct {p}.scores, or uninstall {d}.",
    ),
    "exit": (
        "import sys\nsys.exit('no')\n",
        "short = {p}.scores",
        "cannot be imported: SystemExit: no. Correct {p}.scores, or uninstall {d}.",
    ),
    "dependency": (
        "import a_module_that_nobody_has\n",
        "short = {p}.scores",
        "cannot be imported: No module named 'a_module_that_nobody_has'. "
        r"Install what it needs \(pip install a_module_that_nobody_has\), or uninstall {d}.",
    ),
    "misspelt": (
        "",
        "short = {p}.scorez",
        "cannot be imported: No module named '{p}.scorez'. "
        "Correct the entry point '{p}.scorez', or uninstall {d}.",
    ),
    "attribute": (
        GOOD,
        "short = {p}.scores:bravery",
        "cannot be imported: AttributeError: .*Correct {p}.scores, or uninstall {d}.",
    ),
    "empty": (
        "",
        "short = {p}.scores",
        "the module {p}.scores registers no selector. "
        "Let it register one, or let the entry point name it: '{p}.scores:NAME'.",
    ),
    "malformed": (
        GOOD,
        "short = {p}.scores:bre-vity",
        "names no module or object: '{p}.scores:bre-vity'. Write it as MODULE:NAME, or uninstall {d}.",
    ),
    "half": (
        "from _plugins import registry\n\n@registry.register('early')\n" + GOOD + "\n1 / 0\n",
        "short = {p}.scores",
        "cannot be imported: ZeroDivisionError: division by zero. Correct {p}.scores, or uninstall {d}.",
    ),
}


class TestBrokenPackages:
    @pytest.mark.parametrize("case", sorted(BROKEN))
    def test_one_message_names_the_package_every_time_and_the_others_load(
        self, case: str, site: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        registry = selectors()
        monkeypatch.setattr("_plugins.registry", registry, raising=False)
        text, point, what = BROKEN[case]
        package, name = f"broken_{case}", f"broken-{case}"
        point, what = point.format(p=package), what.format(p=package, d=name)
        plain = point.partition(" ")[0]
        install(site, package, {"scores.py": text}, f"[mendel.selectors]\n{point}\n")
        install(site, "zz_good", {"scores.py": GOOD}, "[mendel.selectors]\nfine = zz_good.scores:brevity\n")
        message = f"^study.yaml:4: package {name}: entry point '{plain}' of mendel.selectors: {what}$"
        for _ in range(2):
            asked = [f"{package}/{plain}", f"{package}/other"] + ([] if plain == "length" else [plain])
            for wanted in asked:
                with pytest.raises(InputError) as caught:
                    registry.get(wanted, where="study.yaml:4")
                assert re.search(message, str(caught.value), re.DOTALL), str(caught.value)
                assert caught.value.exit_code == 2
        assert registry.get("fine") is not None
        assert registry.get("length") is length
        assert list(registry) == ["length", "zz_good/fine"]

    def test_an_unknown_name_says_which_packages_were_not_loaded(self, site: Path) -> None:
        install(site, "broken_a", {"x.py": "1 / 0\n"}, "[mendel.selectors]\nall = broken_a.x\n")
        with pytest.raises(InputError, match=r"unknown selector 'shouting'.*Not loaded: package broken-a: "):
            selectors().get("shouting")

    def test_kinds_that_all_take_part_are_refused_with_the_first_fault(self, site: Path) -> None:
        install(site, "broken_b", {"x.py": "1 / 0\n"}, "[mendel.rules]\nall = broken_b.x\n")
        registry = rules()
        for _ in range(2):
            with pytest.raises(InputError, match=r"package broken-b: entry point 'all' of mendel.rules"):
                registry.require_all()
        assert [fault.exit_code for fault in registry.faults()] == [2]


class LengthOptions(BaseModel):
    longest: int = Field(default=100, ge=1)
    unit: str = "characters"


class TestOptions:
    def registry(self) -> Registry[Callable[..., object]]:
        registry = selectors()
        registry.register("brief", options=LengthOptions)(brevity)
        return registry

    def line(self, *keys: str | int) -> str:
        return "study.yaml:" + ".".join(map(str, keys))

    def test_options_are_given_as_the_declared_model(self) -> None:
        options = self.registry().parse_options("brief", {"longest": 80})
        assert options == LengthOptions(longest=80)
        assert self.registry().declares_options("brief")

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            (
                {"longset": 80},
                "study.yaml:longset: the selector 'test_registry/brief' has no option 'longset'. "
                "Did you mean 'longest'?",
            ),
            (
                {"longest": 0},
                "study.yaml:longest: option 'longest' of the selector 'test_registry/brief': Input should be "
                "greater than or equal to 1 (got 0)",
            ),
        ],
    )
    def test_a_wrong_option_is_refused_at_its_line(self, values: dict[str, object], message: str) -> None:
        with pytest.raises(InputError) as caught:
            self.registry().parse_options("brief", values, line=self.line)
        assert str(caught.value) == message

    def test_a_plug_in_that_declares_no_options_takes_none(self) -> None:
        assert self.registry().parse_options("length", {}) == {}
        with pytest.raises(InputError, match=r"study.yaml:a: the selector 'length' takes no options"):
            self.registry().parse_options("length", {"a": 1}, line=self.line)

    def test_a_function_may_check_the_options(self) -> None:
        def checked(values: dict[str, object]) -> int:
            if "longest" not in values:
                raise ValueError("write 'longest'")
            return int(str(values["longest"]))

        registry = selectors()
        registry.register("brief", options=checked)(brevity)
        assert registry.parse_options("brief", {"longest": 3}) == 3
        with pytest.raises(InputError, match=r"s.yaml:1: options of the selector .*: write 'longest'"):
            registry.parse_options("brief", {}, where="s.yaml:1")
        with pytest.raises(InputError, match=r"options of the selector .*: int|invalid literal"):
            registry.parse_options("brief", {"longest": []}, where="s.yaml:1")
