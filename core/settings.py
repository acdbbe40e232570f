"""Every setting: environment over file over default, with errors that name the line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from typing_extensions import override

from core.errors import Problem, SettingsError, did_you_mean

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_FILE = ROOT / "config.yaml"
ENV_PREFIX = "RAPPORT_"
ENV_DELIMITER = "__"


def variable(section: str, key: str) -> str:
    """The environment variable that stands above a setting."""
    return f"{ENV_PREFIX}{section}{ENV_DELIMITER}{key}".upper()


SECRETS = (("mail", "password"), ("telegram", "token"))
SECRET_FILES = {f"{variable(*secret)}_FILE": secret for secret in SECRETS}


class Section(BaseModel):
    """One heading of the file; unknown words under it are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Shop(Section):
    """Who speaks: named in mails, chat and pages."""

    profile: Literal["shop", "bank", "travel"] = "shop"
    name: str = "Rapport"
    url: str = "https://shop.example"
    support_email: str = "support@shop.example"
    postal_address: str = "1 Example Street, 10115 Berlin, Germany"
    timezone: str = "Europe/Berlin"
    currency: str = "EUR"
    languages: list[str] = ["en", "zh"]


class Storage(Section):
    """Where everything is kept."""

    url: str = "sqlite:///data/rapport.db"
    data_directory: Path = Path("data")
    lease_seconds: float = Field(30.0, gt=0)


class Web(Section):
    """The console, the web chat and the public pages."""

    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65535)
    public_url: str = "http://127.0.0.1:8080"
    session_idle_hours: float = Field(12.0, gt=0)
    session_absolute_hours: float = Field(168.0, gt=0)


class Mail(Section):
    """The SMTP relay."""

    host: str = "127.0.0.1"
    port: int = Field(25, ge=1, le=65535)
    tls: Literal["none", "starttls", "implicit"] = "starttls"
    username: str = ""
    password: SecretStr = SecretStr("")
    from_address: str = "hello@shop.example"
    connections: int = Field(4, ge=1, le=64)
    command_timeout_seconds: float = Field(60.0, gt=0)
    final_dot_timeout_seconds: float = Field(600.0, gt=0)


class Telegram(Section):
    """The Telegram bot; off without a token."""

    token: SecretStr = SecretStr("")
    api_url: str = "https://api.telegram.org"
    messages_per_second: float = Field(28.0, gt=0)
    messages_per_second_per_chat: float = Field(1.0, gt=0)
    long_poll_seconds: int = Field(25, ge=0, le=50)


class Bot(Section):
    """How the bot answers and when it asks."""

    embedder: Literal["use", "none"] = "use"
    wanted_precision_ratio: float = Field(0.95, gt=0.5, lt=1)
    seconds_per_waiting_customer: int = Field(240, gt=0)
    idle_close_minutes: float = Field(30.0, gt=0)
    reopen_minutes: float = Field(60.0, ge=0)
    handling_idle_minutes: float = Field(5.0, gt=0)
    survey_delay_seconds: float = Field(60.0, ge=0)
    survey_cool_down_days: float = Field(7.0, ge=0)
    issues: list[str] = [
        "late_delivery",
        "refund_not_received",
        "wrong_or_damaged_item",
        "size_or_fit",
        "no_answer_from_a_person",
        "other",
    ]


class Outreach(Section):
    """Limits that hold for every campaign."""

    holdout_ratio: float = Field(0.1, ge=0, lt=1)
    cap_messages: int = Field(2, ge=1)
    cap_days: float = Field(7.0, gt=0)
    quiet_hours: str = "21:00-08:00"
    hold_low_score_days: float = Field(14.0, ge=0)
    deliveries_per_claim: int = Field(100, ge=1, le=500)
    attempts_max: int = Field(5, ge=1)
    retry_first_seconds: float = Field(300.0, gt=0)
    render_error_limit_ratio: float = Field(0.05, gt=0, le=1)


class Segmentation(Section):
    """One named way to divide customers by k-means."""

    name: str = "behaviour"
    features: list[str] = ["recency_days", "frequency", "total_spent"]
    k: int | Literal["auto"] = "auto"
    log_transform: bool = True
    random_state: int = 42


class Rules(Section):
    """Association rules over baskets."""

    min_support_ratio: float = Field(0.01, gt=0, lt=1)
    metric: Literal["lift", "confidence", "support", "leverage"] = "lift"
    min_threshold: float = 1.0


class Analysis(Section):
    """What the nightly analysis computes."""

    segmentations: list[Segmentation] = [Segmentation()]
    rules: Rules = Rules()
    recommendations_per_customer: int = Field(10, ge=1, le=100)
    orders_minimum: int = Field(20, ge=1)


class Matching(Section):
    """From which probability on two customers are taken for one person."""

    safe_ratio: float = Field(0.999, gt=0.5, lt=1)
    propose_ratio: float = Field(0.5, gt=0, lt=1)
    # Attributes that hold a number which only one person has.
    id_attributes: list[str] = ["tax_id", "passport"]


class MissingValues(Section):
    """What stands in for the values of one field that nobody knows."""

    policy: Literal["keep", "constant", "median", "mode", "forward"] = "keep"
    # Of `constant`: the value.
    value: str = ""
    # Of `median` and `mode`: the field whose equal values form a group.
    by: str = ""
    # Of `forward`: the field that puts customers in order.
    order: str = ""

    @model_validator(mode="after")
    def _is_whole(self) -> MissingValues:
        for policy, key in (("constant", "value"), ("forward", "order")):
            if (self.policy == policy) != bool(getattr(self, key)):
                told = f"`{key}` belongs to the policy `{policy}`, which needs it"
                raise ValueError(told)
        if self.by and self.policy not in {"median", "mode"}:
            told = "`by` belongs to the policies `median` and `mode`"
            raise ValueError(told)
        return self


class Clean(Section):
    """What cleaning takes for possible, and what it does where nothing is known."""

    default_country: str = ""
    honorifics: Literal["keep", "set_aside"] = "keep"
    age_min_years: int = Field(10, ge=0)
    age_max_years: int = Field(110, ge=1)
    income_max: float | None = Field(None, gt=0)
    outlier_method: Literal["mad", "none"] = "mad"
    outlier_cutoff: float = Field(5.0, gt=0)
    outlier_units_min: int = Field(100, ge=1)
    missing: dict[str, MissingValues] = {}

    @field_validator("missing")
    @classmethod
    def _can_be_filled(
        cls, policies: dict[str, MissingValues]
    ) -> dict[str, MissingValues]:
        for name, each in policies.items():
            _check_field(name, FILLABLE, NEVER_FILLED)
            _check_field(each.by, FILLABLE)
            _check_field(each.order, ORDERING)
        return policies


# Columns of customers that a policy may fill; those that are addressed, agreed to or
# paid stay as they are known. `attributes.NAME` and `preferences.NAME` may be filled.
FILLABLE = ("language", "gender", "birth_date", "city", "country")
ORDERING = ("created_at", "id", "birth_date")
NEVER_FILLED = (
    *("name", "email", "phone", "telegram", "address", "postcode"),
    *("consent", "consents", "consent_email", "consent_telegram"),
    *("income", "income_minor", "income_currency"),
)


def _check_field(
    name: str, known: tuple[str, ...], refused: tuple[str, ...] = ()
) -> None:
    """Refuse a field that no policy may fill or use."""
    if name in refused:
        told = f"`{name}` is never filled: no consent, contact or money is made up"
        raise ValueError(told)
    part, _, rest = name.partition(".")
    if (
        name
        and name not in known
        and not (part in {"attributes", "preferences"} and rest)
    ):
        hint = did_you_mean(name, known) or f"There are: {', '.join(known)}."
        told = f"`{name}` is no field that can stand here. {hint}"
        raise ValueError(told)


class Source(Section):
    """Data that are fetched by themselves: files, or the rows of a query."""

    name: str = Field(min_length=1, max_length=64)
    mapping: str
    file: Path | None = None
    url_from: str = ""
    query: str = ""
    watermark: str = ""
    watermark_start: str = ""
    cron: str = ""
    late_after_hours: float = Field(26.0, gt=0)
    # Below what a customer or a member of staff says.
    priority: int = Field(50, ge=0, le=89)

    @model_validator(mode="after")
    def _says_where(self) -> Source:
        if (self.file is None) == (not self.query):
            told = f"source `{self.name}` needs either `file` or `query`"
            raise ValueError(told)
        if bool(self.query) != bool(self.url_from):
            told = f"source `{self.name}`: `query` and `url_from` belong together"
            raise ValueError(told)
        if bool(self.watermark) != (":watermark" in self.query):
            told = (
                f"source `{self.name}`: `watermark` names a column of the query, and"
                " the query compares it with :watermark"
            )
            raise ValueError(told)
        return self


class Collect(Section):
    """What is fetched by itself."""

    sources: list[Source] = []
    alert_email: str = ""


class Privacy(Section):
    """After how many days what is kept of people goes; 0 keeps it for ever."""

    inbox_days: int = Field(90, ge=0)
    message_days: int = Field(730, ge=0)
    utterance_days: int = Field(365, ge=0)
    file_days: int = Field(90, ge=0)
    import_undo_days: int = Field(90, ge=0)
    audit_days: int = Field(1095, ge=0)
    silent_customer_days: int = Field(0, ge=0)


class Schedule(Section):
    """When the pipeline runs by itself, in the shop's time zone."""

    pipeline_cron: str = "0 2 * * *"
    catch_up_hours: float = Field(6.0, gt=0)


class Log(Section):
    """What the program says of itself on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"


class Settings(BaseSettings):
    """All sections. Secrets come from the environment or from NAME_FILE only."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter=ENV_DELIMITER,
        extra="forbid",
        frozen=True,
    )

    shop: Shop = Shop()
    storage: Storage = Storage()
    collect: Collect = Collect()
    web: Web = Web()
    mail: Mail = Mail()
    telegram: Telegram = Telegram()
    bot: Bot = Bot()
    outreach: Outreach = Outreach()
    clean: Clean = Clean()
    analysis: Analysis = Analysis()
    matching: Matching = Matching()
    privacy: Privacy = Privacy()
    schedule: Schedule = Schedule()
    log: Log = Log()

    @override
    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        if isinstance(env_settings, EnvSettingsSource):
            # NAME_FILE is not a setting `name_file` of its section.
            env_settings.env_vars = {
                name: value
                for name, value in env_settings.env_vars.items()
                if name.upper() not in SECRET_FILES
            }
        # The file's values arrive as init values; the environment is above them.
        return env_settings, init_settings


def load_settings(path: Path | None = None) -> Settings:
    """Settings from `path` (or RAPPORT_CONFIG, or the shipped file) and environment.

    Raises
    ------
    SettingsError : for an unknown or ill-formed setting, a secret in the file, or a
        secret file that can't be read; every problem names its line.
    """
    file = path or Path(os.environ.get(f"{ENV_PREFIX}CONFIG", DEFAULT_FILE))
    tree = _read_yaml(file)
    _refuse_secrets(file, tree)
    _refuse_unknown_variables()
    # A heading with nothing under it leaves everything at its default.
    values = {name: {} if part is None else part for name, part in _plain(tree).items()}
    for (section, key), secret in _secrets_in_files():
        if isinstance(values.setdefault(section, {}), dict):
            values[section][key] = secret
    try:
        return Settings(**values)
    except ValidationError as error:
        problems = [_problem(file, tree, detail) for detail in error.errors()]
        raise SettingsError(*problems) from error


def _read_yaml(file: Path) -> CommentedMap:
    try:
        tree = YAML(typ="rt").load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            Problem("the settings file can't be read", str(error), file=file)
        ) from error
    except YAMLError as error:
        raise SettingsError(_yaml_problem(file, error)) from error
    if tree is None:
        return CommentedMap()
    if not isinstance(tree, CommentedMap):
        raise SettingsError(
            Problem("headings with settings are expected", file=file, line=1)
        )
    return tree


def _yaml_problem(file: Path, error: YAMLError) -> Problem:
    if not isinstance(error, MarkedYAMLError):
        return Problem(f"not valid YAML: {error}", file=file)
    mark = error.problem_mark or error.context_mark
    return Problem(
        f"not valid YAML: {error.problem}",
        file=file,
        line=mark.line + 1 if mark else None,
        column=mark.column + 1 if mark else None,
    )


def _plain(node: Any) -> Any:
    if isinstance(node, dict):
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(value) for value in node]
    return node


def _refuse_secrets(file: Path, tree: CommentedMap) -> None:
    for section, key in SECRETS:
        node = tree.get(section)
        if isinstance(node, dict) and node.get(key):
            name = variable(section, key)
            raise SettingsError(
                Problem(
                    f"`{section}.{key}` is a secret and does not belong in a file",
                    file=file,
                    line=_line(tree, (section, key)),
                    hint=f"Set {name}, or {name}_FILE to a file that holds it.",
                )
            )


def _refuse_unknown_variables() -> None:
    # Two underlines mark a setting; variables without them are not looked at.
    known = {
        variable(section, key) for section in _known(()) for key in _known((section,))
    }
    known |= set(SECRET_FILES)
    problems = [
        Problem(
            f"unknown setting in the environment: {name}",
            hint=did_you_mean(name, known),
        )
        for name in sorted(os.environ)
        if name.upper().startswith(ENV_PREFIX)
        and ENV_DELIMITER in name
        and name.upper() not in known
    ]
    if problems:
        raise SettingsError(*problems)


def _secrets_in_files() -> Iterator[tuple[tuple[str, str], str]]:
    for name, secret in SECRET_FILES.items():
        secret_file = os.environ.get(name)
        if not secret_file:
            continue
        try:
            yield secret, Path(secret_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                Problem(f"{name} can't be read", str(error), file=secret_file)
            ) from error


def _problem(file: Path, tree: CommentedMap, detail: Any) -> Problem:
    location: tuple[str | int, ...] = detail["loc"]
    name = ".".join(str(part) for part in location)
    line = _line(tree, location)
    if detail["type"] == "extra_forbidden":
        return Problem(
            f"unknown setting `{name}`",
            file=file,
            line=line,
            hint=did_you_mean(str(location[-1]), _known(location[:-1])),
        )
    value = detail.get("input")
    hidden = isinstance(value, dict) or location[:2] in SECRETS
    shown = None if hidden else str(value)
    # Said by a check of our own, in words that need no introduction.
    told = str(detail["msg"]).removeprefix("Value error, ")
    in_environment = variable(*map(str, location[:2])) if len(location) > 1 else ""
    if in_environment in os.environ:
        return Problem(f"{in_environment}: {told}", shown)
    return Problem(f"`{name}`: {told}", shown, file=file, line=line)


def _known(parents: tuple[str | int, ...]) -> list[str]:
    model: Any = Settings
    for part in parents:
        if getattr(model, "__origin__", None) is dict:
            # The word is a name of the person's own; its setting is what counts.
            model = model.__args__[1]
        elif isinstance(part, str):
            model = model.model_fields[part].annotation
        else:
            model = getattr(model, "__args__", (model,))[0]
    return list(getattr(model, "model_fields", {}))


def _line(tree: CommentedMap, location: tuple[str | int, ...]) -> int | None:
    node: Any = tree
    line = None
    for part in location:
        try:
            line = node.lc.key(part)[0] + 1 if isinstance(part, str) else line
            node = node[part]
        except (AttributeError, KeyError, IndexError, TypeError):
            break
    return line
