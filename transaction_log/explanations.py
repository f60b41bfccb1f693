"""What a merchant reads: each event and each reason in plain words, and what to do about it.

SeQura's own words are shown beside these sentences, never instead of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Text = str | Promise


@dataclass(frozen=True)
class Explanation:
    """What happened, what the merchant can do, and whether trying again can help."""

    what: Text
    todo: Text = ""
    retry: bool = True
    speaker: Text = "SeQura"  # whose words an entry with this reason carries


# What only the merchant can decide: neither side has refused anything.
DECISION = "decision"
EVENTS: Mapping[str, Text] = {
    "purchase": _("Purchase"),
    "reference": _("Order number told"),
    "review_approved": _("Review approved"),
    "edit": _("Order edited"),
    "address": _("Address changed"),
    "ship": _("Shipment"),
    "refund": _("Refund"),
    "cancel": _("Cancellation"),
    "cancelled_by_sequra": _("Cancelled by SeQura"),
    "cancel_requested": _("Cancellation requested"),
    "archived": _("Order deleted"),
    "report": _("Delivery report"),
    "correction": _("Correction by SeQura"),
    "adopted": _("Order we did not know"),
    DECISION: _("Decision needed"),
}

# Told by SeQura to us; everything else we told SeQura.
HEARD = frozenset({"review_approved", "cancelled_by_sequra", "cancel_requested", "correction"})

# What a success settles: of an update all that was wrong with updates, of a payment all that was
# wrong with the payment. Reports and corrections are settled where they came from.
UPDATES = frozenset({"edit", "address", "ship", "refund", "cancel"})
_PAYMENTS = frozenset({"purchase", "reference", "review_approved", "cancelled_by_sequra"})
# Linking an order that the app had no record of settles why it was not linked before.
_ADOPTIONS = frozenset({"adopted"})


def settled_by(event: str) -> frozenset[str]:
    """The events whose open entries an accepted one of this kind closes."""
    return next(
        (family for family in (UPDATES, _PAYMENTS, _ADOPTIONS) if event in family), frozenset()
    )


# The words are figures of ours, not somebody's sentence.
_DETAILS = _("Details")
_BIGCOMMERCE = "BigCommerce"

_NO_ORDER = _(
    "The shopper was told, owes nothing and can order again:"
    " ignore this entry once you have seen it."
)
_BY_ITSELF = _("Nothing to do: we try again by ourselves until it works.")
_COMPARE = _("Compare the order line by line, correct it in BigCommerce, then retry.")

REASONS: Mapping[str, Explanation] = {
    # A payment that did not become an order; both systems were told to forget it.
    "cart_changed": Explanation(
        _("The cart changed between the shopper's approval and the order."),
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
        _("The checkout had become an order in another way before SeQura approved the payment."),
        _NO_ORDER,
        retry=False,
        speaker=_DETAILS,
    ),
    "already_paid": Explanation(
        _("The same checkout was already paid with another SeQura order."),
        _(
            "This second payment was taken back and the first one counts:"
            " ignore this entry once you have seen it."
        ),
        retry=False,
        speaker=_DETAILS,
    ),
    "refused_by_sequra": Explanation(
        _("SeQura did not accept the confirmation of the payment."), _NO_ORDER, retry=False
    ),
    "conversion_refused": Explanation(
        _("BigCommerce refused to turn the checkout into an order."),
        _(
            "The payment was taken back. Look for the cause in SeQura's or BigCommerce's words,"
            " often a product that had just sold out."
        ),
        retry=False,
        speaker=_BIGCOMMERCE,
    ),
    "amount_changed": Explanation(
        _("The order's total differs from the amount that SeQura approved."),
        _("Both orders were cancelled. Look for apps that change the total of an order."),
        retry=False,
        speaker=_DETAILS,
    ),
    "order_deleted": Explanation(
        _("The order was deleted in BigCommerce before it was placed."),
        _NO_ORDER,
        retry=False,
    ),
    "credit_changed": Explanation(
        _("Another part of the order than agreed was paid with store credit or gift certificates."),
        _("Both orders were cancelled. The shopper can order again."),
        retry=False,
        speaker=_DETAILS,
    ),
    "credit_refused": Explanation(
        _("BigCommerce did not let the shopper's store credit pay its part of the order."),
        _("Both orders were cancelled. Check the customer's store credit in BigCommerce."),
        retry=False,
        speaker=_BIGCOMMERCE,
    ),
    "cancelled_by_sequra": Explanation(
        _("SeQura cancelled the payment before the order was made."), _NO_ORDER, retry=False
    ),
    # A payment that SeQura accepted, and what is late about it.
    "order_delayed": Explanation(
        _("SeQura approved the payment, but the order is not complete yet."),
        _("Nothing to do: we go on by ourselves until it is. Do not ship it before."),
        retry=False,
        speaker=_DETAILS,
    ),
    "undo_delayed": Explanation(
        _("The payment could not become an order, and it is not yet taken back everywhere."),
        _("Nothing to do: we go on by ourselves until it is."),
        retry=False,
        speaker=_DETAILS,
    ),
    "undo_refused": Explanation(
        _("The payment became no order, and SeQura refuses to cancel it."),
        _(
            "We retry automatically. If this entry stays open for an hour, ask SeQura to cancel"
            " the order: the shopper may owe it."
        ),
        retry=False,
    ),
    "credit_to_return": Explanation(
        _("The cancelled order had used the shopper's store credit."),
        _(
            "Check the customer's store credit in BigCommerce. Add the amount again if the"
            " cancellation did not return it."
        ),
        retry=False,
        speaker=_DETAILS,
    ),
    "credit_unseen": Explanation(
        _(
            "The app was uninstalled during this payment. The order may have used the shopper's"
            " store credit."
        ),
        _(
            "Cancel the order in BigCommerce if it is still incomplete, and check the customer's"
            " store credit there."
        ),
        retry=False,
        speaker=_DETAILS,
    ),
    "uninstalled": Explanation(
        _("The app was uninstalled while this payment was under way."),
        _(
            "We finish the payment or cancel it at SeQura within a day. Check the order in"
            " SeQura's portal if this entry stays open."
        ),
        retry=False,
    ),
    "placed_unseen": Explanation(
        _("The app was uninstalled before it could see whether the order was placed."),
        _(
            "Look for the order in BigCommerce. If it is Incomplete, ask SeQura to cancel it:"
            " the shopper may owe it."
        ),
        retry=False,
    ),
    "left_by_uninstallation": Explanation(
        _("The app was uninstalled, and this payment could not be finished or cancelled in time."),
        _("Ask SeQura to cancel the order unless your shop has it: the shopper may owe it."),
        retry=False,
        speaker=_DETAILS,
    ),
    "disconnected": Explanation(
        _("Your SeQura account was disconnected while the shopper was paying."),
        _NO_ORDER,
        retry=False,
    ),
    "news_delayed": Explanation(
        _("SeQura has decided about this payment, and the order does not show it yet."),
        _("Nothing to do: we go on by ourselves until it does. Do not ship it before."),
        retry=False,
        speaker=_DETAILS,
    ),
    "approval_refused": Explanation(
        _("SeQura approved the payment after its review, but does not take our confirmation."),
        _(
            "Do not ship yet. We go on trying by ourselves;"
            " if it stays, ask SeQura about this order in its portal."
        ),
        retry=False,
    ),
    "cancelled_after_shipping": Explanation(
        _("SeQura cancelled an order that you have already shipped or refunded."),
        _("Stop the delivery if you still can, and ask SeQura in its portal before doing more."),
        retry=False,
    ),
    "shipped_after_cancellation": Explanation(
        _("You have shipped goods of an order that SeQura had cancelled."),
        _("SeQura does not pay for it: stop the delivery if you still can, or ask SeQura."),
        retry=False,
    ),
    "put_away": Explanation(
        _("The order was deleted in BigCommerce, and SeQura still has it as it was."),
        _("When nothing is to be paid for it, restore and cancel it, or cancel it at SeQura."),
        retry=False,
        speaker=_BIGCOMMERCE,
    ),
    "closed": Explanation(
        _("SeQura has cancelled this order, so nothing is told about it any more."),
        _("If that is wrong, ask SeQura about it in its portal."),
        retry=False,
    ),
    # An order update that SeQura refused.
    "sequra_400": Explanation(_("SeQura could not read the update."), _COMPARE),
    "sequra_403": Explanation(
        _("SeQura says that this order belongs to another merchant id."),
        _("Check the selling countries and the account in the connection settings, then retry."),
    ),
    "sequra_404": Explanation(
        _("SeQura does not know this order, or it is closed there."),
        _("Open it in SeQura's portal. When it is cancelled there, ignore this entry."),
    ),
    "sequra_409": Explanation(
        _("SeQura does not accept the order as it is now in BigCommerce."), _COMPARE
    ),
    "sequra_422": Explanation(
        _("SeQura does not accept the order as it is now in BigCommerce."), _COMPARE
    ),
    # An order that cannot be told as it is.
    "currency_changed": Explanation(
        _("The order's currency is no longer the one it was paid in."),
        _("SeQura finances the currency of the purchase only: change it back, then retry."),
        speaker=_DETAILS,
    ),
    "no_products": Explanation(
        _("BigCommerce shows the order without any product."),
        _("When you removed them all on purpose, cancel the order instead."),
        speaker=_DETAILS,
    ),
    "unreadable": Explanation(
        _("The order holds something that we cannot read."),
        _("Look for amounts or quantities that make no sense, correct them, then retry."),
        speaker=_DETAILS,
    ),
    "archived": Explanation(
        _("The order was deleted in BigCommerce, so nothing can be told about it."),
        _("Restore it to change it at SeQura, or cancel it in SeQura's portal."),
        speaker=_BIGCOMMERCE,
    ),
    # What only the merchant knows; the details are the amount it is about.
    "shipped_before_cancelling": Explanation(
        _("The order was cancelled after goods had been shipped: the shopper still owes them."),
        _(
            "Refund in BigCommerce the goods that the shopper sends back: the refund settles this"
            " entry. Where BigCommerce refunds no cancelled order, give it another status before"
            " and cancel it again afterwards. Ignore this entry when the shopper keeps the goods."
        ),
        retry=False,
        speaker=_DETAILS,
    ),
    "refund_of_cancelled": Explanation(
        _(
            "A refund was taken off goods that were not shipped, and those goods are cancelled:"
            " it lowers nothing that the shopper owes for the shipped ones."
        ),
        _(
            "If it was meant for shipped goods, ask SeQura in its portal to lower what the shopper"
            " owes. Otherwise ignore this entry."
        ),
        retry=False,
        speaker=_DETAILS,
    ),
    "added_after_shipping": Explanation(
        _("Goods were added after the order counted as shipped: SeQura waits for their shipment."),
        _("Create a shipment for them in BigCommerce once they have left."),
        retry=False,
        speaker=_DETAILS,
    ),
    "shipped_status_left": Explanation(
        _(
            "The order came back from a status that counts as shipped."
            " SeQura keeps its goods as shipped."
        ),
        _("If they never left, refund the order. Otherwise ignore this entry."),
        retry=False,
        speaker=_DETAILS,
    ),
    # Not now.
    "sequra_unavailable": Explanation(_("SeQura did not answer."), _BY_ITSELF, speaker=_DETAILS),
    "bigcommerce_unavailable": Explanation(
        _("BigCommerce did not answer."), _BY_ITSELF, speaker=_DETAILS
    ),
    "bigcommerce_refused": Explanation(
        _("BigCommerce did not let us read the order."),
        _("We try again. If it goes on, check and repair the set-up on the overview page."),
        speaker=_BIGCOMMERCE,
    ),
    "internal": Explanation(_("Something went wrong on our side."), _BY_ITSELF, speaker=_DETAILS),
    "secret_unreadable": Explanation(
        _("The app cannot decrypt the password or the access that it stored for your store."),
        _(
            "Enter the SeQura password again in the connection settings. If this entry stays open,"
            " uninstall the app in the Apps menu and install it again: your settings stay."
        ),
        speaker=_DETAILS,
    ),
    "gave_up": Explanation(
        _("We tried for a week and did not get through."),
        _("Retry once both systems answer again."),
    ),
    "sequra_unauthorised": Explanation(
        _("SeQura no longer accepts the user name and password of your account."),
        _("Enter them again in the connection settings; waiting updates are then sent."),
    ),
    "bigcommerce_unauthorised": Explanation(
        _("BigCommerce no longer accepts our access to your store."),
        _("Uninstall the app in the Apps menu and install it again: your settings stay."),
        speaker=_BIGCOMMERCE,
    ),
    "in_review": Explanation(
        _("SeQura is still reviewing the payment."),
        _("Nothing to do: what you changed is sent once SeQura has approved it."),
    ),
    "reference_refused": Explanation(
        _("SeQura confirmed the payment but did not take the order's number."),
        _BY_ITSELF,
        retry=False,
    ),
    "number_refused": Explanation(
        _("SeQura asked for the order's number and did not take it."),
        _(
            "Look in SeQura's portal whether the order is cancelled there before you ship it,"
            " and ask SeQura to add the number if it is not."
        ),
        retry=False,
    ),
    "confirmed_without_order": Explanation(
        _("SeQura says that it holds a payment that became no order in your shop."),
        _(
            "Look for the payment in SeQura's portal. If it is not cancelled there, ask SeQura to"
            " cancel it: the shopper may owe it."
        ),
        retry=False,
    ),
    "review_unknown": Explanation(
        _(
            "SeQura held this payment for review and now refuses the order's number. The review may"
            " have ended without our knowing."
        ),
        _(
            "Do not ship yet. Look in SeQura's portal whether the payment was approved or"
            " cancelled. We ask again every hour."
        ),
        retry=False,
    ),
    # Delivery reports.
    "report_sent": Explanation(
        _("SeQura accepted the delivery report of this merchant id, with so many orders."),
        retry=False,
        speaker=_DETAILS,
    ),
    "report_inconsistent": Explanation(
        _("The order does not add up, so the delivery report names it apart from the others."),
        _("Correct it in BigCommerce: the next report tells it."),
        speaker=_DETAILS,
    ),
    # What SeQura corrected on its side.
    "corrected_by_sequra": Explanation(
        _("SeQura has other data of the shopper than BigCommerce."),
        _("Open the order's SeQura panel, and apply SeQura's data to BigCommerce or keep yours."),
        retry=False,
        speaker=_DETAILS,
    ),
    "correction_applied": Explanation(
        _("SeQura's data was written into the BigCommerce order."), retry=False, speaker=_DETAILS
    ),
    "correction_kept": Explanation(
        _("SeQura's data was declined, and SeQura was told yours."), retry=False, speaker=_DETAILS
    ),
    # An order that the app had no record of, though it was paid with SeQura.
    "adopted": Explanation(
        _(
            "The app had no record of this SeQura order. The app has linked it again, and sends"
            " SeQura the whole order as it is in BigCommerce."
        ),
        retry=False,
    ),
    "adopted_in_review": Explanation(
        _(
            "The app had no record of this SeQura order, and has linked it again. SeQura was still"
            " reviewing the payment, and its decision may not reach the app."
        ),
        _("Look the order up in SeQura's portal, and do not ship it before SeQura approves it."),
        retry=False,
    ),
    "adopted_cancelled": Explanation(
        _(
            "The app had no record of this SeQura order, and has linked it again. SeQura has"
            " cancelled the order, so the app sends nothing about it."
        ),
        retry=False,
    ),
    "adopted_quietly": Explanation(
        _(
            "The app had no record of this SeQura order, and has linked it again. The order was"
            " over for more than a month, so the app sends nothing until the order changes."
        ),
        _(
            "If SeQura's portal shows the order otherwise, send SeQura the order from the page"
            " “Comparison with SeQura”."
        ),
        retry=False,
    ),
    "adoption_without_reference": Explanation(
        _("The order names SeQura as its payment method, but carries no SeQura reference."),
        _(
            "Copy the reference from SeQura's portal into the staff notes, between [SeQura] and"
            " [/SeQura], then start the comparison with SeQura again."
        ),
        retry=False,
        speaker=_DETAILS,
    ),
    "adoption_foreign": Explanation(
        _("SeQura does not have this order under any merchant id that is connected here."),
        _(
            "Connect the SeQura account the order was paid with, then start the comparison with"
            " SeQura again."
        ),
        retry=False,
        speaker=_DETAILS,
    ),
    "adoption_not_connected": Explanation(
        _("No SeQura account is connected with which this order could have been paid."),
        _(
            "Connect the SeQura account the order was paid with, then start the comparison with"
            " SeQura again."
        ),
        retry=False,
        speaker=_DETAILS,
    ),
    "adoption_reference_taken": Explanation(
        _("Another order already has the SeQura reference that this order carries."),
        _("Correct the reference of this order, or ignore this entry if the order is a copy."),
        retry=False,
        speaker=_DETAILS,
    ),
    "adoption_taken_back": Explanation(
        _("The app has taken the SeQura payment of this order back, but the order is not over."),
        _("Look the payment up in SeQura's portal, and do not ship the order before."),
        retry=False,
        speaker=_DETAILS,
    ),
    "without_reference": Explanation(
        _("SeQura does not know the order's number yet."),
        _("Nothing to do: what you changed is sent in a moment."),
        retry=False,
    ),
}
_REFUSED = Explanation(_("SeQura refused the update."), _COMPARE)
_NOTHING = Explanation("", retry=False)


def event_label(event: str) -> Text:
    """An event in the reader's language; a code we do not know stays as it is."""
    return EVENTS.get(event, event)


def explain(reason: str) -> Explanation:
    """What a reason code means; any other refusal by SeQura is a refusal."""
    if reason in REASONS:
        return REASONS[reason]
    return _REFUSED if reason else _NOTHING


def event_choices() -> list[tuple[str, Any]]:
    """For a form."""
    return list(EVENTS.items())
