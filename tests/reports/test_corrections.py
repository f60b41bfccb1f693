"""SeQura corrects a shopper's data: shown, never overwritten, applied or declined."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from bigcommerce.api import Unavailable
from bigcommerce.documents import OrderShippingAddress
from orders import corrections
from orders.corrections import open_rows
from orders.models import Correction, Order
from orders.sync.worker import drain
from panel.session import open_session
from payments.confirm import confirm
from payments.models import Solicitation
from stores.clients import bigcommerce_for
from stores.install import install
from stores.models import PanelUser, Store
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


# The customer's account and address book --------------------------------------------------------

OLD = "old@example.com"


class Customer:
    """A customer with an account, who bought; the merchant wants customers corrected."""

    def __init__(self, merchant: Merchant, *, scope: str = "store_v2_customers") -> None:
        self.merchant, self.sandbox = merchant, merchant.sandbox
        self.allow(scope)
        Store.objects.update(corrects_customers=True)
        account = {"email": OLD, "first_name": "Ana", "last_name": "Ruiz"}
        self.id = self.sandbox.control("POST", "customers", account)["id"]
        self.order = merchant.order(customer_id=self.id)

    def allow(self, scope: str) -> None:
        """The merchant confirms the app's permissions again, with this one for customers."""
        store = self.merchant.store
        granted = store.scopes.replace("store_v2_customers_read_only", scope)
        url = self.sandbox.control("POST", "auth_url", {"scope": granted})["url"]
        query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        install(query["code"], query["context"], query["scope"])
        store.refresh_from_db()

    def address(self) -> OrderShippingAddress:
        api = bigcommerce_for(self.merchant.store)
        return api.shipping_addresses(self.order.bigcommerce_id)[0]

    def keeps(self, customer_id: int = 0, **changes: Any) -> int:
        """The order's address, with these changes, in an address book."""
        known = self.address()
        entry = {
            "first_name": known["first_name"], "last_name": known["last_name"],
            "company": known["company"], "phone": known["phone"], "address1": known["street_1"],
            "address2": known["street_2"], "city": known["city"], "postal_code": known["zip"],
            "state_or_province": known["state"], "country_code": known["country_iso2"], **changes,
        }  # fmt: skip
        owner = {"customer_id": customer_id or self.id}
        return int(self.sandbox.control("POST", "addresses", entry | owner)["id"])

    def streets(self) -> dict[int, str]:
        return {one["id"]: one["address1"] for one in self.sandbox.held("addresses")}

    def email(self) -> str:
        return next(
            str(one["email"]) for one in self.sandbox.held("customers") if one["id"] == self.id
        )

    def is_corrected(self, **parameters: str) -> str:
        """SeQura's value comes, and the merchant applies it."""
        hear(self.order, **parameters)
        return self.decides()

    def decides(self) -> str:
        return corrections.apply(self.order, only(self.order), "ana@example.com")

    def writes(self) -> list[str]:
        """What was changed in BigCommerce, by path."""
        calls = self.sandbox.calls("bigcommerce")
        return [call["path"].split("/", 3)[3] for call in calls if call["method"] == "PUT"]


def test_a_correction_reaches_the_same_addresses_of_the_customer(merchant: Merchant) -> None:
    customer = Customer(merchant)
    neighbour = merchant.sandbox.control("POST", "customers", {"email": "n@example.com"})["id"]
    same, work = customer.keeps(), customer.keeps(company="Work, S. L.")
    other = customer.keeps(neighbour)
    before = customer.address()["street_1"]

    word = customer.is_corrected(**{"delivery_address[address_line_1]": STREET})

    assert word == "applied"
    assert customer.address()["street_1"] == STREET
    assert customer.streets() == {same: STREET, work: before, other: before}
    assert customer.email() == OLD
    row = Correction.objects.get()
    assert (row.decision, row.reached) == ("applied", {"addresses": 1})
    assert [call for call in customer.writes() if "v3" in call] == ["v3/customers/addresses"]


def test_a_corrected_email_reaches_the_account(merchant: Merchant) -> None:
    customer = Customer(merchant)

    customer.is_corrected(email=THEIRS)

    assert (customer.email(), in_shop(merchant, customer.order)["email"]) == (THEIRS, THEIRS)
    assert Correction.objects.get().reached == {"account": True}
    page = page_of(merchant, f"orders/{customer.order.bigcommerce_id}/")
    decided = page.split('id="decided"')[1].split("</section>")[0]
    for text in (OLD, THEIRS, "ana@example.com", "SeQura has now", "account has it, too."):
        assert text in decided
    assert f"<b>{THEIRS}</b>" in decided


def test_customers_stay_as_they_are_unless_the_merchant_wants_it(merchant: Merchant) -> None:
    customer = Customer(merchant)
    entry, before = customer.keeps(), customer.address()["street_1"]
    Store.objects.update(corrects_customers=False)

    customer.is_corrected(**{"delivery_address[address_line_1]": STREET})

    assert customer.address()["street_1"] == STREET
    assert customer.streets() == {entry: before}
    assert [call for call in customer.writes() if "v3" in call] == []


def test_a_guest_has_no_account(merchant: Merchant) -> None:
    Store.objects.update(corrects_customers=True)
    order = merchant.order()
    hear(order, email=THEIRS)

    assert corrections.apply(order, only(order), "ana@example.com") == "applied"

    assert in_shop(merchant, order)["email"] == THEIRS
    assert Correction.objects.get().reached == {}


def test_what_broke_off_between_both_is_repeated_and_changes_nothing_twice(
    merchant: Merchant,
) -> None:
    customer = Customer(merchant)
    entry = customer.keeps()
    hear(customer.order, **{"delivery_address[address_line_1]": STREET})
    merchant.sandbox.fault("/shipping_addresses/", method="PUT", status=503)
    with pytest.raises(Unavailable):
        customer.decides()
    assert customer.streets() == {entry: STREET}
    assert customer.address()["street_1"] != STREET
    assert only(customer.order).reached == {}

    customer.decides()

    assert customer.address()["street_1"] == STREET
    assert customer.streets() == {entry: STREET}
    assert Correction.objects.get().reached == {"addresses": 1}
    assert customer.writes().count("v3/customers/addresses") == 1


def test_a_decision_that_was_made_meanwhile_is_logged_once(merchant: Merchant) -> None:
    customer = Customer(merchant)
    hear(customer.order, email=THEIRS)
    same = only(customer.order)

    for person in ("ana@example.com", "luis@example.com"):
        corrections.apply(customer.order, same, person)

    assert Correction.objects.get().decided_by == "ana@example.com"
    assert Entry.objects.filter(event="correction", outcome="accepted").count() == 1
    assert customer.writes().count("v3/customers") == 1


def test_a_webhook_that_is_faster_than_the_decision_leaves_it_to_the_person(
    merchant: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = merchant.order()
    hear(order, email=THEIRS)
    write = corrections._write

    def write_and_hear_of_it(*given: Any) -> Any:
        found = write(*given)
        merchant.notices(order)
        return found

    monkeypatch.setattr(corrections, "_write", write_and_hear_of_it)
    corrections.apply(order, only(order), "ana@example.com")

    row = Correction.objects.get()
    assert (row.decision, row.decided_by) == ("applied", "ana@example.com")
    logged = Entry.objects.filter(event="correction", outcome="accepted").order_by("pk")
    assert list(logged.values_list("ignored_by", flat=True)) == ["", "ana@example.com"]


def test_without_the_permission_the_order_is_corrected_and_the_rest_is_named(
    merchant: Merchant,
) -> None:
    customer = Customer(merchant, scope="store_v2_customers_read_only")
    entry, before = customer.keeps(), customer.address()["street_1"]

    word = customer.is_corrected(**{"delivery_address[address_line_1]": STREET})

    assert word == "applied_to_order"
    assert customer.address()["street_1"] == STREET
    assert customer.streets() == {entry: before}
    problem = Entry.objects.get(event="customer")
    assert (problem.reason, problem.is_open) == ("customer_forbidden", True)
    assert STREET not in problem.words
    page = page_of(merchant, f"orders/{customer.order.bigcommerce_id}/")
    assert "permission “Customers: modify”" in page
    assert "isn&#x27;t allowed to change customers" in page


def test_an_email_of_another_account_is_refused(merchant: Merchant) -> None:
    customer = Customer(merchant)
    merchant.sandbox.control("POST", "customers", {"email": THEIRS})

    assert customer.is_corrected(email=THEIRS) == "applied_to_order"

    assert (customer.email(), in_shop(merchant, customer.order)["email"]) == (OLD, THEIRS)
    assert Entry.objects.get(event="customer").reason == "customer_refused"


def test_a_corrected_address_that_is_there_already_leaves_the_old_one_to_the_merchant(
    merchant: Merchant,
) -> None:
    customer = Customer(merchant)
    old, right = customer.keeps(), customer.keeps(address1=STREET)
    before = customer.address()["street_1"]

    word = customer.is_corrected(**{"delivery_address[address_line_1]": STREET})

    assert word == "applied_to_order"
    assert customer.streets() == {old: before, right: STREET}
    assert Correction.objects.get().reached == {"addresses": 1, "problem": "customer_has_both"}
    assert Entry.objects.get(event="customer").reason == "customer_has_both"
