"""What a merchant reads: each event and each reason in plain words, and what to do about it.

SeQura's own words are shown beside these sentences, never instead of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from payloads.money import euros

Text = str | Promise


@dataclass(frozen=True)
class Explanation:
    """What happened, what the merchant can do, and whether trying again can help."""

    what: Text
    todo: Text = ""
    retry: bool = True
    speaker: Text = "SeQura"  # whose words an entry with this reason carries
    exact: bool = False  # says all that these words say


# What only the merchant can decide: neither side has refused anything.
DECISION = "decision"
_EVENTS: Mapping[str, Text] = {
    "purchase": _("Purchase"),
    "reference": _("Order number sent"),
    "review_approved": _("Review approved"),
    "edit": _("Order edited"),
    "address": _("Address changed"),
    "resend": _("Order sent again"),
    "ship": _("Shipment"),
    "refund": _("Refund"),
    "cancel": _("Cancellation"),
    "cancelled_by_sequra": _("Cancelled by SeQura"),
    "cancel_requested": _("Cancellation requested"),
    "archived": _("Order deleted"),
    "report": _("Delivery report"),
    "correction": _("Correction from SeQura"),
    "customer": _("Customer correction"),
    "adopted": _("Unknown order linked"),
    "risk_assessment": _("Risk assessment"),
    "return": _("Return reported"),
    "unknown_event": _("Unknown event"),
    "retry": _("Retry requested"),
    DECISION: _("Your decision"),
}
# What became of an entry, for the filter; `outcome_label` says it of one entry.
_OUTCOMES: Mapping[str, Text] = {
    "accepted": _("Accepted"),
    "rejected": _("Rejected"),
    "delayed": _("Retrying"),
    "ignored": _("Dismissed or skipped"),
}
# Open entries of these are questions to the merchant: nobody has rejected anything.
_QUESTIONS = frozenset({"correction", "return", DECISION})

# Received from SeQura; everything else was sent to SeQura.
HEARD = frozenset(
    {
        "review_approved", "cancelled_by_sequra", "cancel_requested", "correction",
        "risk_assessment", "return", "unknown_event",
    }
)  # fmt: skip
# What people did here: neither sent nor received.
OURS = frozenset({"retry", "customer", DECISION})

# What a success settles: of an update all that was wrong with updates, of a payment all that was
# wrong with the payment. Reports and corrections are settled where they came from.
UPDATES = frozenset({"edit", "address", "resend", "ship", "refund", "cancel"})
_PAYMENTS = frozenset({"purchase", "reference", "review_approved", "cancelled_by_sequra"})
# Linking an order that the app had no record of settles why it was not linked before.
_ADOPTIONS = frozenset({"adopted"})


def settled_by(event: str) -> frozenset[str]:
    """The events whose open entries an accepted one of this kind closes."""
    if event == "refund":
        return UPDATES | {"return"}
    return next(
        (family for family in (UPDATES, _PAYMENTS, _ADOPTIONS) if event in family), frozenset()
    )


# The words are figures of ours, not somebody's sentence.
_DETAILS = _("Details")
_BIGCOMMERCE = "BigCommerce"

_NO_ORDER = _("The customer was notified, wasn't charged and can order again. Dismiss this entry.")
_BY_ITSELF = _("No action needed. We retry automatically.")
_COMPARE = _("Compare the order with SeQura, fix it in BigCommerce, then retry.")
_REJECTED = Explanation(_("SeQura rejected this update."), _COMPARE)

REASONS: Mapping[str, Explanation] = {
    # A payment that did not become an order; both systems were told to forget it.
    "cart_changed": Explanation(
        _(
            "The cart changed after the customer approved the payment and before the order was"
            " created."
        ),
        _NO_ORDER,
        retry=False,
        speaker=_DETAILS,
    ),
    "checkout_gone": Explanation(
        _("The checkout no longer existed when SeQura approved the payment."),
        _NO_ORDER,
        retry=False,
    ),
    "already_ordered": Explanation(
        _("The checkout had already become an order before SeQura approved the payment."),
        _NO_ORDER,
        retry=False,
        speaker=_DETAILS,
    ),
    "already_paid": Explanation(
        _("The same cart was already paid with another SeQura order."),
        _("This second payment was cancelled and the first one stands. Dismiss this entry."),
        retry=False,
        speaker=_DETAILS,
    ),
    "refused_by_sequra": Explanation(
        _("SeQura didn't accept the payment confirmation."), _NO_ORDER, retry=False
    ),
    "conversion_refused": Explanation(
        _("BigCommerce refused to create the order."),
        _("The payment was cancelled. See the message for the cause; often a product sold out."),
        retry=False,
        speaker=_BIGCOMMERCE,
    ),
    "amount_changed": Explanation(
        _("The order's total differs from the amount that SeQura approved."),
        _("Both orders were cancelled. Check your other apps for one that changes order totals."),
        retry=False,
        speaker=_DETAILS,
    ),
    "order_deleted": Explanation(
        _("The order was deleted in BigCommerce before it was placed."),
        _NO_ORDER,
        retry=False,
    ),
    "credit_changed": Explanation(
        _("A different amount than expected was paid with store credit or gift certificates."),
        _("Both orders were cancelled. The customer can order again. Dismiss this entry."),
        retry=False,
        speaker=_DETAILS,
    ),
    "credit_refused": Explanation(
        _(
            "BigCommerce rejected the store credit or gift certificate that was to pay part of the"
            " order."
        ),
        _(
            "Both orders were cancelled. Check the customer's store credit and gift certificates in"
            " BigCommerce, then dismiss this entry."
        ),
        retry=False,
        speaker=_BIGCOMMERCE,
    ),
    "cancelled_by_sequra": Explanation(
        _("SeQura cancelled the payment before the order was created."), _NO_ORDER, retry=False
    ),
    # A payment that SeQura accepted, and what is late about it.
    "order_delayed": Explanation(
        _("SeQura approved the payment, but the order isn't complete yet."),
        _("Don't ship yet. We'll finish this automatically."),
        retry=False,
        speaker=_DETAILS,
    ),
    "undo_delayed": Explanation(
        _("The payment couldn't become an order and isn't fully cancelled yet."),
        _("No action needed. We'll finish this automatically."),
        retry=False,
        speaker=_DETAILS,
    ),
    "undo_refused": Explanation(
        _("The payment didn't become an order, and SeQura refuses to cancel it."),
        _(
            "We retry automatically. If this entry stays open for an hour, ask SeQura to cancel"
            " the order, because the customer may owe it."
        ),
        retry=False,
    ),
    "credit_to_return": Explanation(
        _("The cancelled order had used the customer's store credit or gift certificates."),
        _(
            "Check the customer's store credit and gift certificates in BigCommerce. If the"
            " cancellation didn't return the amount, add it again."
        ),
        retry=False,
        speaker=_DETAILS,
    ),
    "credit_unseen": Explanation(
        _(
            "The app was uninstalled during this payment. The order may have used the"
            " customer's store credit or gift certificates."
        ),
        _(
            "Cancel the order in BigCommerce if it is still incomplete, and check the customer's"
            " store credit and gift certificates there."
        ),
        retry=False,
        speaker=_DETAILS,
    ),
    "uninstalled": Explanation(
        _("The app was uninstalled during this payment."),
        _(
            "We complete the payment or cancel it at SeQura within a day. If this entry stays"
            " open, check the order in SeQura's portal."
        ),
        retry=False,
    ),
    "placed_unseen": Explanation(
        _("The app was uninstalled before it could check whether the order was placed."),
        _(
            "Look for the order in BigCommerce. If it's Incomplete, ask SeQura to cancel it,"
            " because the customer may owe it."
        ),
        retry=False,
    ),
    "left_by_uninstallation": Explanation(
        _("The app was uninstalled, and this payment couldn't be completed or cancelled in time."),
        _(
            "Check whether your store has the order. If it doesn't, ask SeQura to cancel it,"
            " because the customer may owe it."
        ),
        retry=False,
        speaker=_DETAILS,
    ),
    "disconnected": Explanation(
        _("Your SeQura account was disconnected while the customer was paying."),
        _NO_ORDER,
        retry=False,
    ),
    "news_delayed": Explanation(
        _("SeQura decided on this payment, but the order in BigCommerce doesn't show it yet."),
        _("Don't ship yet. We'll update the order automatically."),
        retry=False,
        speaker=_DETAILS,
    ),
    "approval_refused": Explanation(
        _("SeQura approved the payment after its review but doesn't accept our confirmation."),
        _(
            "Don't ship yet. We're retrying automatically. If this persists, contact SeQura"
            " through its portal."
        ),
        retry=False,
    ),
    "cancelled_after_shipping": Explanation(
        _("SeQura cancelled an order that you already shipped or refunded."),
        _(
            "Stop the delivery if you can, and contact SeQura through its portal before you"
            " change anything else."
        ),
        retry=False,
    ),
    "shipped_after_cancellation": Explanation(
        _("You shipped products of an order that SeQura had cancelled."),
        _("SeQura won't pay for this order. Stop the delivery if you can, or contact SeQura."),
        retry=False,
    ),
    "put_away": Explanation(
        _("The order was deleted in BigCommerce, but SeQura still has it unchanged."),
        _(
            "If the customer owes nothing for it, restore the order and cancel it, or cancel it"
            " in SeQura's portal."
        ),
        retry=False,
        speaker=_BIGCOMMERCE,
    ),
    "closed": Explanation(
        _("SeQura cancelled this order, so no more updates are sent."),
        _("If that's wrong, contact SeQura through its portal."),
        retry=False,
    ),
    # An order update that SeQura refused.
    "sequra_400": Explanation(_("SeQura couldn't read the update."), _COMPARE),
    "sequra_403": Explanation(
        _("This order belongs to a different SeQura merchant ID."),
        _("Check the selling countries and the connection settings, then retry."),
    ),
    "sequra_404": Explanation(
        _("SeQura doesn't have this order, or the order is closed there."),
        _("Check it in SeQura's portal. If it's cancelled there, dismiss this entry."),
    ),
    "sequra_409": _REJECTED,
    "sequra_422": _REJECTED,
    # An order that cannot be told as it is.
    "currency_changed": Explanation(
        _("The order's currency is no longer the currency it was paid in."),
        _(
            "SeQura finances only the currency of the purchase. Change the order back to that"
            " currency, then retry."
        ),
        speaker=_DETAILS,
    ),
    "no_products": Explanation(
        _("The order has no products in BigCommerce."),
        _(
            "Add a product and retry. If you removed all products on purpose, cancel the order"
            " instead."
        ),
        speaker=_DETAILS,
    ),
    "unreadable": Explanation(
        _("The order contains a value we can't read."),
        _("Check the order's amounts and quantities in BigCommerce, correct them, then retry."),
        speaker=_DETAILS,
    ),
    "archived": Explanation(
        _("This order was deleted in BigCommerce, so updates can't be sent."),
        _("Restore it to sync changes again, or cancel it in SeQura's portal."),
        speaker=_BIGCOMMERCE,
    ),
    # What only the merchant knows; the details are the amount it is about.
    "shipped_before_cancelling": Explanation(
        _(
            "The order was cancelled after products were shipped. The customer still owes the"
            " shipped products."
        ),
        _(
            "If the customer returns products, refund them in BigCommerce; the refund resolves"
            " this entry. If BigCommerce doesn't refund a cancelled order, change its status,"
            " refund it, and cancel it again. If the customer keeps the products, dismiss this"
            " entry."
        ),
        retry=False,
        speaker=_DETAILS,
    ),
    "refund_of_cancelled": Explanation(
        _(
            "A refund was deducted from unshipped products that are now cancelled, so it"
            " doesn't reduce the amount the customer owes for the shipped products."
        ),
        _(
            "If the refund was for shipped products, ask SeQura through its portal to reduce"
            " the amount the customer owes. Otherwise dismiss this entry."
        ),
        retry=False,
        speaker=_DETAILS,
    ),
    "added_after_shipping": Explanation(
        _(
            "Products were added after the order was counted as shipped. SeQura expects them to"
            " be shipped."
        ),
        _(
            "Create a shipment for the added products in BigCommerce when they leave your"
            " warehouse."
        ),
        retry=False,
        speaker=_DETAILS,
    ),
    "shipped_status_left": Explanation(
        _(
            "The order no longer has a status that counts as shipped, but SeQura still has its"
            " products as shipped."
        ),
        _("If the products were never shipped, refund the order. Otherwise dismiss this entry."),
        retry=False,
        speaker=_DETAILS,
    ),
    # Not now.
    "sequra_unavailable": Explanation(_("SeQura didn't respond."), _BY_ITSELF, speaker=_DETAILS),
    "bigcommerce_unavailable": Explanation(
        _("BigCommerce didn't respond."), _BY_ITSELF, speaker=_DETAILS
    ),
    "bigcommerce_refused": Explanation(
        _("BigCommerce didn't allow us to read the order."),
        _("We retry automatically. If this persists, run the setup check on the overview page."),
        speaker=_BIGCOMMERCE,
    ),
    "internal": Explanation(_("Something went wrong on our side."), _BY_ITSELF, speaker=_DETAILS),
    "secret_unreadable": Explanation(
        _("The app can't decrypt your store's stored password or access."),
        _(
            "Enter the SeQura password again in the connection settings. If this entry stays"
            " open, uninstall the app in the Apps menu and install it again. Your settings are"
            " kept."
        ),
        speaker=_DETAILS,
    ),
    "gave_up": Explanation(
        _("We retried for a week without success."),
        _("Retry when both systems are back online."),
    ),
    "sequra_unauthorised": Explanation(
        _("SeQura no longer accepts your account's username and password."),
        _("Enter both again in the connection settings. We'll then send the waiting updates."),
    ),
    "bigcommerce_unauthorised": Explanation(
        _("BigCommerce no longer accepts our access to your store."),
        _("Uninstall the app in the Apps menu and install it again. Your settings are kept."),
        speaker=_BIGCOMMERCE,
    ),
    "in_review": Explanation(
        _("SeQura is still reviewing the payment."),
        _("No action needed. Your change will be sent after SeQura approves the payment."),
    ),
    "reference_refused": Explanation(
        _("SeQura confirmed the payment but didn't accept the order number."),
        _BY_ITSELF,
        retry=False,
    ),
    "number_refused": Explanation(
        _("SeQura requested the order number but didn't accept it."),
        _(
            "Before you ship, check in SeQura's portal whether the order is cancelled. If it"
            " isn't, ask SeQura to add the number."
        ),
        retry=False,
    ),
    "confirmed_without_order": Explanation(
        _("SeQura has a payment that didn't become an order in your store."),
        _(
            "Check the payment in SeQura's portal. If it isn't cancelled there, ask SeQura to"
            " cancel it, because the customer may owe it."
        ),
        retry=False,
    ),
    "review_unknown": Explanation(
        _(
            "SeQura put this payment in review and now rejects the order number. The review may"
            " already have ended."
        ),
        _(
            "Don't ship yet. Check in SeQura's portal whether the payment was approved or"
            " cancelled. We retry every hour."
        ),
        retry=False,
    ),
    # Delivery reports.
    "report_sent": Explanation(
        _(
            "SeQura accepted the delivery report. The merchant ID and the number of orders are"
            " below."
        ),
        retry=False,
        speaker=_DETAILS,
    ),
    "report_inconsistent": Explanation(
        _("The order's amounts don't add up, so the delivery report lists it separately."),
        _("Fix the order in BigCommerce. The next report will include it."),
        speaker=_DETAILS,
    ),
    # What SeQura corrected on its side.
    "corrected_by_sequra": Explanation(
        _("SeQura's customer details differ from BigCommerce."),
        _("Open the order's SeQura panel and choose which value to keep."),
        retry=False,
        speaker=_DETAILS,
    ),
    "correction_applied": Explanation(
        _("SeQura's value was saved in the BigCommerce order."), retry=False, speaker=_DETAILS
    ),
    "correction_kept": Explanation(
        _("BigCommerce's value was kept. SeQura receives it with the next update."),
        retry=False,
        speaker=_DETAILS,
    ),
    "customer_forbidden": Explanation(
        _(
            "The order has SeQura's value. The customer's account and address book don't, because"
            " the app isn't allowed to change customers."
        ),
        _(
            "Correct the customer in BigCommerce, then dismiss this entry. For the next correction,"
            " ask the app's support for the permission “Customers: modify”, then open the app from"
            " the Apps menu and confirm it."
        ),
        retry=False,
        speaker=_BIGCOMMERCE,
    ),
    "customer_refused": Explanation(
        _(
            "The order has SeQura's value. BigCommerce rejected it for the customer's account or"
            " address book."
        ),
        _("Correct the customer in BigCommerce, then dismiss this entry."),
        retry=False,
        speaker=_BIGCOMMERCE,
    ),
    "customer_has_both": Explanation(
        _(
            "The order has SeQura's value. The customer's address book holds the corrected address"
            " already, next to the old one."
        ),
        _("Delete the old address of the customer in BigCommerce, then dismiss this entry."),
        retry=False,
    ),
    # SeQura's events after the purchase.
    "low_risk": Explanation(_("SeQura rates the risk of this order as low."), retry=False),
    "high_risk": Explanation(_("SeQura rates the risk of this order as high."), retry=False),
    "under_evaluation": Explanation(
        _("SeQura is still assessing the risk of this order."), retry=False
    ),
    "return_reported": Explanation(
        _("SeQura reports that the customer returns products of this order."),
        _(
            "If you accept the return, record the refund; it is then sent to SeQura and resolves"
            " this entry. Otherwise dismiss it."
        ),
        retry=False,
    ),
    "return_refunded": Explanation(
        _("The refund of the returned products was recorded in BigCommerce. SeQura receives it."),
        retry=False,
        speaker=_DETAILS,
    ),
    "unknown_event": Explanation(
        _(
            "SeQura sent an event that this version of the app doesn't know. Check the order in"
            " SeQura's portal."
        ),
        retry=False,
        speaker=_DETAILS,
    ),
    # An order that the app had no record of, though it was paid with SeQura.
    "adopted": Explanation(
        _(
            "This SeQura order was missing from the app. It has been linked again, and the"
            " whole order is sent to SeQura."
        ),
        retry=False,
    ),
    "adopted_in_review": Explanation(
        _(
            "This SeQura order was missing from the app and has been linked again. SeQura was"
            " still reviewing the payment, and the app may not receive its decision."
        ),
        _("Don't ship yet. Check the order in SeQura's portal and wait until SeQura approves it."),
        retry=False,
    ),
    "adopted_cancelled": Explanation(
        _(
            "This SeQura order was missing from the app and has been linked again. SeQura has"
            " cancelled it, so no updates are sent."
        ),
        retry=False,
    ),
    "adopted_quietly": Explanation(
        _(
            "This SeQura order was missing from the app and has been linked again. It was"
            " completed more than a month ago, so no updates are sent until it changes."
        ),
        _(
            "If SeQura's portal shows something different, send the order to SeQura from the"
            " “Order sync check” page."
        ),
        retry=False,
    ),
    "adoption_without_reference": Explanation(
        _("The order's payment method is SeQura, but it has no SeQura reference."),
        _(
            "Copy the reference from SeQura's portal into the staff notes, between [SeQura] and"
            " [/SeQura], then run the order sync check again."
        ),
        retry=False,
        speaker=_DETAILS,
    ),
    "adoption_foreign": Explanation(
        _("SeQura doesn't have this order under any connected merchant ID."),
        _(
            "Connect the SeQura account the order was paid with, then run the order sync check"
            " again."
        ),
        retry=False,
        speaker=_DETAILS,
    ),
    "adoption_not_connected": Explanation(
        _("No connected SeQura account could have been used to pay this order."),
        _(
            "Connect the SeQura account the order was paid with, then run the order sync check"
            " again."
        ),
        retry=False,
        speaker=_DETAILS,
    ),
    "adoption_reference_taken": Explanation(
        _("Another order already has this order's SeQura reference."),
        _("Correct this order's reference, or dismiss this entry if the order is a copy."),
        retry=False,
        speaker=_DETAILS,
    ),
    "adoption_taken_back": Explanation(
        _("The app cancelled this order's SeQura payment, but the order itself isn't cancelled."),
        _("Don't ship yet. Check the payment in SeQura's portal first."),
        retry=False,
        speaker=_DETAILS,
    ),
    "without_reference": Explanation(
        _("SeQura doesn't have the order number yet."),
        _("No action needed. Your change will be sent shortly."),
        retry=False,
    ),
}
_NOTHING = Explanation("", retry=False)
# A rejection, by what was sent: each has one right action, and not all can be undone in the shop.
_REJECTED_EVENTS: Mapping[str, Explanation] = {
    "ship": Explanation(
        _("SeQura rejected this shipment."),
        _(
            "Compare the order with SeQura and fix it in BigCommerce. We then send it again"
            " automatically."
        ),
    ),
    "refund": Explanation(
        _("SeQura rejected this refund."),
        _(
            "A refund can't be undone in BigCommerce. Contact SeQura through its portal, then"
            " retry or dismiss this entry."
        ),
    ),
    "cancel": Explanation(
        _("SeQura rejected this cancellation."),
        _(
            "Check the order in SeQura's portal. If it's cancelled there, dismiss this entry."
            " Otherwise contact SeQura, then retry."
        ),
    ),
    "address": Explanation(
        _("SeQura rejected the new address or customer details."),
        _(
            "Change the details back in BigCommerce, or contact SeQura through its portal and"
            " retry."
        ),
    ),
    "resend": Explanation(
        _("SeQura rejected the order when it was sent again, although it accepted it before."),
        _(
            "Check the order in SeQura's portal. If it's closed there, dismiss this entry."
            " Otherwise contact SeQura, then retry."
        ),
    ),
    "report": Explanation(
        _("SeQura rejected the delivery report."),
        _("Read SeQura's message, fix the orders it names in BigCommerce, then send the report."),
        retry=False,
    ),
}

# SeQura rejected a statement; what it says of the cause is in cents.
REJECTIONS = frozenset({"sequra_409", "sequra_422"})
_ABOVE = (
    _("The order total of %(now)s is %(above)s above the %(approved)s that SeQura approved."),
    _(
        "Lower the total by %(above)s in BigCommerce, or charge the difference another way. We then"
        " send it again automatically."
    ),
)


def event_label(event: str) -> Text:
    """An event in the reader's language; a code we do not know stays as it is."""
    return _EVENTS.get(event, event)


def outcome_label(outcome: str, event: str, *, is_open: bool, dismissed: bool = False) -> Text:
    """Return the outcome of an entry in the reader's language, true of what it is about."""
    if outcome == "ignored":
        return _("Dismissed") if dismissed else _("Skipped")
    if event in ("retry", "risk_assessment", DECISION) and outcome == "accepted":
        return _("Recorded")
    if outcome == "rejected" and event in _QUESTIONS:
        return _("Decision needed") if is_open else _("Resolved")
    if outcome == "delayed" and not is_open:
        return _("Resolved")
    return _OUTCOMES.get(outcome, outcome)


def outcome_choices() -> list[tuple[str, Any]]:
    """Return the outcomes for a form."""
    return list(_OUTCOMES.items())


def explain(reason: str, event: str = "") -> Explanation:
    """Return what a reason means for an event; a code we do not know is a rejection by SeQura."""
    found = REASONS.get(reason, _REJECTED if reason else _NOTHING)
    return _REJECTED_EVENTS.get(event, found) if found is _REJECTED else found


def explain_amounts(reason: str, event: str, sent: int | None, approved: int | None) -> Explanation:
    """Return what a reason means, in euros where a total above the approved one is the cause.

    `sent` is the total of the statement, in cents; either is None where it is unknown.
    """
    found = explain(reason, event)
    if reason not in REJECTIONS or sent is None or approved is None or sent <= approved:
        return found
    language = get_language() or "en"
    cents = {"now": sent, "approved": approved, "above": sent - approved}
    texts = {name: euros(amount, language) for name, amount in cents.items()}
    what, todo = _ABOVE
    return replace(found, what=what % texts, todo=todo % texts, exact=True)


def event_choices() -> list[tuple[str, Any]]:
    """For a form."""
    return list(_EVENTS.items())
