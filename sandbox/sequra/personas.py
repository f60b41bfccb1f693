"""Who applies, what is asked of them, and how SeQura decides: its sandbox's test personas.

Everybody is approved, except: "Review Test Approve" and "Review Test Cancel" (as given names) go
into review and come out that way, "Test Decline" and people under 18 are rejected.
"""

import re
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any, Self

NIN = {
    "ES": r"(\d{8}|[XYZ]\d{7})[A-Z]",
    "FR": r"[0-9A-Z]{12,15}",
    "IT": r"[A-Z0-9]{16}",
    "PT": r"\d{9}",
}
FIELDS = ("given_names", "surnames", "mobile_phone", "date_of_birth", "nin")


@dataclass
class Application:
    """The filled-in form."""

    given_names: str
    surnames: str
    mobile_phone: str
    date_of_birth: str
    nin: str
    country: str
    privacy: bool = True

    @classmethod
    def read(cls, found: dict[str, Any], country: str) -> Self:
        values = {name: str(found.get(name, "")).strip() for name in FIELDS}
        values["mobile_phone"] = re.sub(r"\D", "", values["mobile_phone"])
        values["nin"] = values["nin"].upper().replace("-", "").replace(" ", "")
        return cls(**values, country=country, privacy=found.get("privacy") is True)

    def kept(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def born(self) -> date | None:
        for pattern in ("%d/%m/%Y", "%Y-%m-%d", "%d-%m-%Y"):
            try:
                return datetime.strptime(self.date_of_birth, pattern).replace(tzinfo=UTC).date()
            except ValueError:
                continue
        return None


def mistakes(application: Application) -> dict[str, str]:
    """The fields that cannot be right, each with the name of the sentence to show."""
    wrong = {name: "blank" for name in FIELDS if not getattr(application, name)}
    if not 9 <= len(application.mobile_phone) <= 15:
        wrong.setdefault("mobile_phone", "phone")
    if application.born is None or not 1900 <= application.born.year <= today().year:
        wrong.setdefault("date_of_birth", "date")
    if not re.fullmatch(NIN[application.country], application.nin):
        wrong.setdefault("nin", "nin")
    if not application.privacy:
        wrong["privacy"] = "privacy"
    return wrong


def today() -> date:
    return datetime.now(UTC).date()


def age(born: date) -> int:
    now = today()
    return now.year - born.year - ((now.month, now.day) < (born.month, born.day))


def outcome(application: Application) -> str:
    """approve, reject, review_approve or review_cancel."""
    name = application.given_names.lower()
    born = application.born
    if "test decline" in name or (born is not None and age(born) < 18):
        return "reject"
    if "review test" in name:
        return "review_cancel" if "cancel" in name else "review_approve"
    return "approve"
