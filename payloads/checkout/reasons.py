"""Every reason for which SeQura is not offered, and what a merchant is told about it."""

from enum import StrEnum


class Reason(StrEnum):
    """Stored with the checkout, so that a merchant can be told later. Codes never change."""

    NOT_CONNECTED = "not_connected"
    NO_EMAIL = "no_email"
    NO_ADDRESS = "no_address"
    NO_SHIPPING_OPTION = "no_shipping_option"
    CHANNEL = "channel"
    COUNTRY = "country"
    CURRENCY = "currency"
    IP_NOT_ALLOWED = "ip_not_allowed"
    EXCLUDED_PRODUCT = "excluded_product"
    EXCLUDED_CATEGORY = "excluded_category"
    DIGITAL_ONLY = "digital_only_without_services"
    NOTHING_LEFT_TO_PAY = "nothing_left_to_pay"
    AMOUNT = "amount"
    NOT_YET_AVAILABLE = "not_yet_available"
    NO_LONGER_AVAILABLE = "no_longer_available"
    NO_METHODS = "no_methods"
    SEQURA_UNAVAILABLE = "sequra_unavailable"
    REFUSED_BY_SEQURA = "refused_by_sequra"
    ACCOUNT_REFUSED = "account_refused"
    BIGCOMMERCE_UNAVAILABLE = "bigcommerce_unavailable"
    REFUSED_BY_BIGCOMMERCE = "refused_by_bigcommerce"
    UNEXPLAINED_BALANCE = "unexplained_balance"
    GIFT_CERTIFICATE = "gift_certificate"
    UNBALANCED = "unbalanced"
    UNREADABLE = "unreadable"
    TOO_MANY_QUESTIONS = "too_many_questions"


def _(sentence: str) -> str:
    """Marks a sentence for the translators' files; whoever shows it translates it."""
    return sentence


SENTENCES: dict[Reason, str] = {
    Reason.NOT_CONNECTED: _("The store is not connected to SeQura."),
    Reason.NO_EMAIL: _("The shopper had not entered an e-mail address yet."),
    Reason.NO_ADDRESS: _("The shopper had not entered an address with a country yet."),
    Reason.NO_SHIPPING_OPTION: _("The shopper had not chosen a shipping option yet."),
    Reason.CHANNEL: _("You do not offer SeQura in this storefront."),
    Reason.COUNTRY: _("You do not offer SeQura in the country of delivery."),
    Reason.CURRENCY: _("The checkout was not in euros, the only currency SeQura finances."),
    Reason.IP_NOT_ALLOWED: _("The shopper's address is not on your list of allowed IP addresses."),
    Reason.EXCLUDED_PRODUCT: _("The cart held a product that you excluded from SeQura."),
    Reason.EXCLUDED_CATEGORY: _("The cart held a product of a category that you excluded."),
    Reason.DIGITAL_ONLY: _(
        "Nothing in the cart is shipped, and you do not offer SeQura for services in this country."
    ),
    Reason.NOTHING_LEFT_TO_PAY: _("There was nothing left to pay."),
    Reason.AMOUNT: _("The amount was outside the range of every payment method."),
    Reason.NOT_YET_AVAILABLE: _("The payment method is not available yet."),
    Reason.NO_LONGER_AVAILABLE: _("The payment method is no longer available."),
    Reason.NO_METHODS: _("SeQura offered no payment method for this checkout."),
    Reason.SEQURA_UNAVAILABLE: _("SeQura could not be reached."),
    Reason.REFUSED_BY_SEQURA: _("SeQura refused the cart."),
    Reason.ACCOUNT_REFUSED: _("SeQura refused the user name and password of your account."),
    Reason.BIGCOMMERCE_UNAVAILABLE: _("BigCommerce could not be asked for the checkout."),
    Reason.REFUSED_BY_BIGCOMMERCE: _(
        "BigCommerce refused to show the app the checkout, its customer or its products."
    ),
    Reason.UNEXPLAINED_BALANCE: _(
        "The browser showed another amount to pay than BigCommerce told us, "
        "and the customer's store credit does not explain the difference."
    ),
    Reason.GIFT_CERTIFICATE: _(
        "Part of the checkout was paid with something other than store credit, usually a gift "
        "certificate. BigCommerce does not tell us about gift certificates, so SeQura cannot "
        "finance the rest."
    ),
    Reason.UNBALANCED: _("The lines of the cart do not add up to the total BigCommerce told us."),
    Reason.UNREADABLE: _("The cart holds something that cannot be told to SeQura."),
    Reason.TOO_MANY_QUESTIONS: _(
        "Too many checkouts asked for SeQura at that moment. Others of the same minute may have "
        "been refused too."
    ),
}


_NOT_THIS_ORDER = _("SeQura is not available for this order. Choose another payment method.")
_NOT_IN_THE_CART = _("Your cart contains something that cannot be paid with SeQura.")

# What a shopper reads of a refusal that stands: the first of these that applies. A refusal of a
# moment is asked again instead, and of what the shopper has yet to enter nothing is said.
FOR_SHOPPERS: dict[Reason, str] = {
    Reason.GIFT_CERTIFICATE: _(
        "SeQura cannot be combined with a gift certificate. Remove it to pay with SeQura."
    ),
    Reason.EXCLUDED_PRODUCT: _NOT_IN_THE_CART,
    Reason.EXCLUDED_CATEGORY: _NOT_IN_THE_CART,
    Reason.DIGITAL_ONLY: _("SeQura is only available for orders that are shipped."),
    Reason.COUNTRY: _("SeQura is not available in this country."),
    Reason.CURRENCY: _("SeQura is only available for orders in euros."),
    Reason.AMOUNT: _("SeQura is not available for this amount."),
    Reason.UNEXPLAINED_BALANCE: _(
        "The amount to pay has changed. Reload this page to pay with SeQura."
    ),
} | dict.fromkeys(
    [
        Reason.NOT_CONNECTED, Reason.CHANNEL, Reason.IP_NOT_ALLOWED, Reason.NOT_YET_AVAILABLE,
        Reason.NO_LONGER_AVAILABLE, Reason.NO_METHODS, Reason.REFUSED_BY_SEQURA,
        Reason.ACCOUNT_REFUSED, Reason.REFUSED_BY_BIGCOMMERCE, Reason.UNBALANCED,
        Reason.UNREADABLE,
    ],
    _NOT_THIS_ORDER,
)  # fmt: skip


class NotOffered(Exception):
    """This checkout cannot be paid with SeQura; `detail` holds the figures, for the merchant."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        self.reason, self.detail = reason, detail
        super().__init__(detail or SENTENCES[reason])
