"""The alerts and the dashboard name what /metrics has; each alert has a section to read."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import yaml
from django.utils import timezone
from prometheus_client import REGISTRY, Counter, Histogram

from local.servers import ROOT
from orders.sync import worker  # noqa: F401 (its counter is among what processes count)
from payments.models import Solicitation
from sequra_bc import metrics
from stores.models import Connection, ScriptVersion, Store

DEPLOY = ROOT / "deploy"
[GROUP] = yaml.safe_load((DEPLOY / "alerts.yml").read_text())["groups"]
RULES: list[dict[str, Any]] = GROUP["rules"]
PANELS = json.loads((DEPLOY / "grafana-dashboard.json").read_text())["panels"]
TARGETS = [target for panel in PANELS for target in panel["targets"]]
OF_PROMETHEUS = {"instance", "job", "le"}
METRIC = re.compile(r"\b(sequra_bc_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"')
GROUPED = re.compile(r"\bby \(([^)]*)\)")


def counted() -> Iterator[tuple[str, set[str]]]:
    """What processes count: sample names with their labels, also of workers."""
    for family in list(REGISTRY._collector_to_names):
        if not isinstance(family, Counter | Histogram) or not family._name.startswith("sequra_bc_"):
            continue
        endings = ("_total",) if isinstance(family, Counter) else ("_bucket", "_sum", "_count")
        for name in (family._name, family._name.replace("sequra_bc_", "sequra_bc_worker_", 1)):
            for ending in endings:
                yield (
                    name + ending,
                    {*family._labelnames} | ({"le"} if ending == "_bucket" else set()),
                )


@pytest.fixture
def known(db: None) -> dict[str, dict[str, set[str]]]:
    """Every sample that a scrape can hold: the values of its labels, none where they are open."""
    ScriptVersion.objects.create(name="x.js", body=b"")
    found: dict[str, dict[str, set[str]]] = {
        name: {label: set() for label in labels} for name, labels in counted()
    }
    found["sequra_bc_database_up"] = {}
    for family in (*metrics.queues(), *metrics._lanes()):
        for sample in family.samples:
            labels = found.setdefault(sample.name, {})
            for label, value in sample.labels.items():
                labels.setdefault(label, set()).add(value)
    return found


def faults(expression: str, known: dict[str, dict[str, set[str]]]) -> list[str]:
    """Names in the expression that no scrape holds."""
    found = []
    for name, matchers in METRIC.findall(expression):
        labels = known.get(name)
        if labels is None:
            found.append(name)
            continue
        for label, value in MATCHER.findall(matchers):
            values = labels.get(label)
            if values is None or (values and not any(re.fullmatch(value, one) for one in values)):
                found.append(f"{name}{{{label}={value}}}")
    for group in GROUPED.finditer(expression):
        metric = METRIC.search(expression, group.end())
        assert metric is not None
        mine = {*known.get(metric[1], {})} | OF_PROMETHEUS
        found += [f"{metric[1]} by {one}" for one in group[1].split(", ") if one not in mine]
    return found


@pytest.mark.parametrize(
    "expression", [*(rule["expr"] for rule in RULES), *(target["expr"] for target in TARGETS)]
)
def test_every_metric_and_label_exists(
    known: dict[str, dict[str, set[str]]], expression: str
) -> None:
    assert "sequra_bc_" in expression
    assert faults(expression, known) == []


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("max(sequra_bc_invented) > 1", "sequra_bc_invented"),
        ('sequra_bc_leases{state="lost"}', "sequra_bc_leases{state=lost}"),
        ('sequra_bc_leases{kind="held"}', "sequra_bc_leases{kind=held}"),
        ("sum by (store) (rate(sequra_bc_calls_total[5m]))", "sequra_bc_calls_total by store"),
        ("sequra_bc_calls{}", "sequra_bc_calls"),
    ],
)
def test_a_name_that_does_not_exist_is_found(
    known: dict[str, dict[str, set[str]]], expression: str, fault: str
) -> None:
    assert faults(expression, known) == [fault]


def test_texts_use_only_labels_that_are_left() -> None:
    """After an aggregation a series has the labels that it is grouped by."""
    texts = [(rule["expr"], rule["annotations"]["summary"], r"\$labels\.(\w+)") for rule in RULES]
    texts += [(target["expr"], target["legendFormat"], r"\{\{(\w+)\}\}") for target in TARGETS]
    for expression, text, pattern in texts:
        left = {label for group in GROUPED.findall(expression) for label in group.split(", ")}
        assert {*re.findall(pattern, text)} <= left, expression


def test_everything_that_is_measured_is_shown(known: dict[str, dict[str, set[str]]]) -> None:
    shown = {name for target in TARGETS for name, _ in METRIC.findall(target["expr"])}
    families = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in known}
    families -= {
        "sequra_bc_worker_requests",
        "sequra_bc_worker_request_seconds",
    }  # they answer none
    families -= {"sequra_bc_worker_script_versions", "sequra_bc_synced"}  # the latter of web

    assert families - {re.sub(r"_(total|bucket)$", "", name) for name in shown} == set()


def sections() -> dict[str, str]:
    """The headings of the operators' guide as GitHub links them, with their text."""
    parts = re.split(r"^#+ (.+)\n", (ROOT / "docs/operations.md").read_text(), flags=re.MULTILINE)
    titles = [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in parts[1::2]]
    return dict(zip(titles, parts[2::2], strict=True))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_each_alert_has_a_section_that_says_what_to_do(rule: dict[str, Any]) -> None:
    document, _, heading = rule["annotations"]["runbook"].partition("#")

    assert document == "docs/operations.md"
    assert f"`{rule['alert']}`" in sections()[heading]
    assert rule["labels"]["severity"] in ("page", "day")


def test_each_section_is_of_an_alert() -> None:
    text = (ROOT / "docs/operations.md").read_text()

    assert {*re.findall(r"`(Sequra[A-Z]\w+)`", text)} == {rule["alert"] for rule in RULES}


@pytest.mark.django_db
def test_a_confirmed_purchase_without_a_finished_order_has_an_age() -> None:
    store = Store.objects.create(hash="abc")
    account = Connection.objects.create(store=store, deployment="sequra", environment="sandbox")
    for number, phase in enumerate(("created", "confirming", "done")):
        Solicitation.objects.create(
            store=store,
            connection=account,
            merchant_ref="demo_es",
            checkout_id=str(number),
            token_digest=str(number),
            order={},
            fingerprint="",
            amount=100,
            currency="EUR",
            country="ES",
            phase=phase,
            confirm_intent_at=timezone.now() - timedelta(minutes=10 * (number + 1)),
        )
    found = {one.name: one.value for family in metrics.queues() for one in family.samples}

    assert 600 <= found["sequra_bc_oldest_payment_seconds"] < 660
