"""SeQura corrects a shopper's data: shown, never overwritten, applied or declined."""

from urllib.parse import urlsplit

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from bigcommerce.api import Unavailable
from orders import corrections
from orders.corrections import open_rows
from orders.models import Correction, Order
from orders.sync.worker import drain
from panel.session import open_session
from payments.confirm import confirm
from payments.models import Solicitation
from stores.clients import bigcommerce_for
from stores.models import PanelUser
from tests.orders.merchant import Merchant
from tests.payments.shop import Shop
from transaction_log import record
from transaction_log.models import Entry

THEIRS = "right@example.com"
STREET = "Carrer de Mallorca, 401"


def hear(order: Order, **parameters: str) -> None:
    corrections.receive(order.store, order.reference, order.solicited, parameters, "event")
    drain()
    order.refresh_from_db()


def email(order: Order) -> str:
    """As SeQura was last told."""
    order.refresh_from_db()
    assert order.accepted_update
    return str(order.accepted_update["customer"]["email"])


def in_shop(merchant: Merchant, order: Order) -> dict[str, object]:
    return dict(bigcommerce_for(merchant.store).order(order.bigcommerce_id)["billing_address"])


def only(order: Order) -> Correction:
    (row,) = open_rows(order.store, order.reference)
    return row


def test_a_correction_is_kept_and_shown_and_nothing_is_sent(merchant: Merchant) -> None:
    order = merchant.order()
    ours = email(order)

    hear(order, email=THEIRS, event="risk_assessment")

    row = only(order)
    assert (row.path, row.ours, row.theirs) == ("customer.email", ours, THEIRS)
    assert merchant.updates() == []
    assert merchant.entries(order)[-1] == ("correction", "rejected", "corrected_by_sequra")
    assert THEIRS not in Entry.objects.get(event="correction").words


def test_later_updates_do_not_overwrite_it(merchant: Merchant) -> None:
    order = merchant.order()
    hear(order, email=THEIRS)

    merchant.does("ship", order)

    assert merchant.at_sequra(order)["customer"]["email"] == THEIRS
    assert merchant.at_sequra(order)["unshipped_cart"]["items"] == []
    reminder = Entry.objects.get(event="correction")
    assert (reminder.outcome, reminder.closed_at) == ("rejected", None)


def test_applied_it_is_in_bigcommerce_and_not_echoed(merchant: Merchant) -> None:
    order = merchant.order()
    hear(order, **{"delivery_address[address_line_1]": STREET, "customer_email": THEIRS})
    first, second = open_rows(order.store, order.reference)

    corrections.apply(order, first, "ana@example.com")
    corrections.apply(order, second, "ana@example.com")
    merchant.notices(order)

    order.refresh_from_db()
    assert in_shop(merchant, order)["email"] == THEIRS
    addresses = bigcommerce_for(merchant.store).shipping_addresses(order.bigcommerce_id)
    assert addresses[0]["street_1"] == STREET
    assert merchant.updates() == []
    assert order.corrected == {}
    assert open_rows(order.store, order.reference) == []
    assert not Entry.objects.filter(event="correction", closed_at=None).exists()
    decided = Correction.objects.values_list("decision", "decided_by").distinct()
    assert list(decided) == [("applied", "ana@example.com")]


def test_kept_ours_is_told(merchant: Merchant) -> None:
    order = merchant.order()
    ours = email(order)
    hear(order, email=THEIRS)

    corrections.keep_ours(order, only(order), "ana@example.com")
    drain()

    (told,) = merchant.updates()
    assert told["body"]["order"]["customer"]["email"] == ours
    assert merchant.entries(order)[-2][2] == "correction_kept"
    assert open_rows(order.store, order.reference) == []


def test_corrected_by_hand_in_bigcommerce_it_is_settled(merchant: Merchant) -> None:
    order = merchant.order()
    hear(order, email=THEIRS)

    merchant.does("edit_billing_address", order, email=THEIRS)

    assert Correction.objects.get().decision == Correction.Decision.AGREED
    assert merchant.updates() == []
    order.refresh_from_db()
    assert order.corrected == {}


def test_bigcommerce_does_not_answer_and_it_stays_open(merchant: Merchant) -> None:
    order = merchant.order()
    hear(order, email=THEIRS)
    merchant.sandbox.fault("/v2/orders/", method="PUT", status=503)

    with pytest.raises(Unavailable):
        corrections.apply(order, only(order), "ana@example.com")

    assert only(order).theirs == THEIRS
    order.refresh_from_db()
    assert order.corrected == {"customer.email": THEIRS}


def test_what_sequra_says_again_is_no_news(merchant: Merchant) -> None:
    order = merchant.order()
    hear(order, email=THEIRS)
    hear(order, email=THEIRS.upper())
    hear(order, email="third@example.com")

    row = only(order)
    assert row.theirs == "third@example.com"
    assert Correction.objects.count() == 1


def test_entered_by_hand(merchant: Merchant) -> None:
    order = merchant.order()

    assert corrections.enter(order, "delivery_address.phone", "934 000 000", "ana@example.com")
    assert not corrections.enter(order, "customer.email", email(order), "ana@example.com")

    row = only(order)
    assert (row.source, row.heard_by) == ("person", "ana@example.com")


def open_reminders(order: Order) -> list[str]:
    found = Entry.objects.filter(event="correction", closed_at=None, reference=order.reference)
    return list(found.order_by("id").values_list("words", flat=True))


def test_an_ignored_correction_hides_no_other(merchant: Merchant) -> None:
    order = merchant.order()
    hear(order, email=THEIRS)
    assert record.ignore(Entry.objects.get(event="correction"), "ana@example.com", "We know")

    hear(order, **{"delivery_address[city]": "Girona"})
    assert open_reminders(order) == ["delivery_address.city"]
    hear(order, email="third@example.com")
    assert open_reminders(order) == ["delivery_address.city", "customer.email"]


def test_a_reminder_is_closed_with_the_last_of_its_details(merchant: Merchant) -> None:
    order = merchant.order()
    hear(order, **{"delivery_address[address_line_1]": STREET, "email": THEIRS})
    hear(order, **{"delivery_address[city]": "Girona"})
    both = "customer.email, delivery_address.address_line_1"
    assert open_reminders(order) == [both, "delivery_address.city"]

    street, city = "delivery_address.address_line_1", "delivery_address.city"
    for path, left in (("customer.email", [street, city]), (city, [street]), (street, [])):
        row = Correction.objects.get(path=path)
        corrections.keep_ours(order, row, "ana@example.com")
        assert open_reminders(order) == left


def test_a_newer_value_takes_the_place_of_the_older_reminder(merchant: Merchant) -> None:
    order = merchant.order()
    hear(order, email=THEIRS)
    hear(order, email="third@example.com")
    assert open_reminders(order) == ["customer.email"]
    assert Entry.objects.filter(outcome="rejected", event="correction").count() == 2


def test_a_notification_brings_one_before_the_order_exists(merchant: Merchant) -> None:
    shop: Shop = merchant.shop
    attempt: Solicitation = shop.approved()
    assert attempt.reference
    corrections.receive(
        merchant.store, attempt.reference, attempt.order, {"email": THEIRS}, "notification"
    )

    confirm(attempt.pk)
    drain()

    order = Order.objects.get(reference=attempt.reference)
    assert order.corrected == {"customer.email": THEIRS}
    assert merchant.at_sequra(order)["customer"]["email"] == THEIRS


def test_through_sequras_own_event(merchant: Merchant, live_app: str, settings: Settings) -> None:
    """The event is sent by SeQura over HTTP, with the details beside the documented ones."""
    settings.APP_URL = f"http://app.localhost:{urlsplit(live_app).port}"
    order = merchant.order()
    merchant.sandbox.control("POST", "sequra/knobs", {"event": {"lost": False}})

    fields = {"event": "risk_assessment", "risk_level": "low_risk", "customer[email]": THEIRS}
    merchant.sandbox.drive("event", str(order.reference), **fields)

    assert only(order).theirs == THEIRS


def test_other_stores_and_other_parameters_say_nothing(merchant: Merchant) -> None:
    order = merchant.order()
    hear(order, m_email="x@example.com", country="FR", order_ref_1="7", email=" ")
    assert not Correction.objects.exists()


def page_of(merchant: Merchant, path: str) -> str:
    user, _ = PanelUser.objects.get_or_create(store=merchant.store, bigcommerce_id=1)
    return Client().get(f"/s/{open_session(user)}/{path}").content.decode()


def test_a_comparison_offers_the_decision_and_marks_what_differs(merchant: Merchant) -> None:
    order = merchant.order()
    path = f"orders/{order.bigcommerce_id}/compare/"
    assert "BigCommerce and SeQura match." in page_of(merchant, path)

    hear(order, email=THEIRS, event="risk_assessment")
    page = page_of(merchant, path)

    assert "BigCommerce and SeQura match." not in page
    assert "Use SeQura's value" in page
    assert page.count('<tr class="differs">') == 1
    assert page.count('<span class="mark">Decision needed</span>') == 1


def test_the_log_leads_a_correction_to_its_decision(merchant: Merchant) -> None:
    order = merchant.order()
    hear(order, email=THEIRS, event="risk_assessment")
    page = page_of(merchant, "log/")
    number = order.bigcommerce_id

    assert f'/orders/{number}/#corrections">Review correction<' in page
    assert f"orders/{number}/compare/" not in page
    assert 'id="corrections"' in page_of(merchant, f"orders/{number}/")
