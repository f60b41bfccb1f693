"""Every reason for which SeQura is not offered, and its explanation for merchants."""

from enum import StrEnum


class Reason(StrEnum):
    """Stored with the checkout, to be explained later. Codes never change."""

    NOT_CONNECTED = "not_connected"
    ACCESS_LOST = "access_lost"
    NO_EMAIL = "no_email"
    NO_ADDRESS = "no_address"
    NO_SHIPPING_OPTION = "no_shipping_option"
    CHANNEL = "channel"
    COUNTRY = "country"
    CURRENCY = "currency"
    IP_NOT_ALLOWED = "ip_not_allowed"
    COMPANY = "company"
    CUSTOMER_GROUP = "customer_group"
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
    """Mark a sentence for translation; the caller that shows it translates it."""
    return sentence


# Of a checkout that is over. `NOW` is of a cart that is only tried.
SENTENCES: dict[Reason, str] = {
    Reason.NOT_CONNECTED: _("The store wasn't connected to SeQura."),
    Reason.ACCESS_LOST: _(
        "BigCommerce no longer accepts our access to your store, so SeQura is hidden from your"
        " checkout. Open SeQura from the Apps menu to check the access again. If this reason"
        " appears again, uninstall the app in the Apps menu and install it again. Your settings"
        " are kept."
    ),
    Reason.NO_EMAIL: _("The customer hadn't entered an email address yet."),
    Reason.NO_ADDRESS: _("The customer hadn't entered an address with a country yet."),
    Reason.NO_SHIPPING_OPTION: _("The customer hadn't chosen a shipping option yet."),
    Reason.CHANNEL: _("SeQura was off for this storefront."),
    Reason.COUNTRY: _("SeQura was off for this shipping country."),
    Reason.CURRENCY: _("SeQura only supports EUR."),
    Reason.IP_NOT_ALLOWED: _(
        "The customer's IP address wasn't on your list of allowed IP addresses."
    ),
    Reason.COMPANY: _("The customer was a company, and SeQura was off for companies."),
    Reason.CUSTOMER_GROUP: _("SeQura was off for the customer's group."),
    Reason.EXCLUDED_PRODUCT: _("The cart contained an excluded product."),
    Reason.EXCLUDED_CATEGORY: _("The cart contained a product from an excluded category."),
    Reason.DIGITAL_ONLY: _(
        "The cart contained nothing to ship, and SeQura was off for services in this country."
    ),
    Reason.NOTHING_LEFT_TO_PAY: _("There was nothing left to pay."),
    Reason.AMOUNT: _("The amount was outside the limits of every payment method."),
    Reason.NOT_YET_AVAILABLE: _("The payment method wasn't available yet."),
    Reason.NO_LONGER_AVAILABLE: _("The payment method was no longer available."),
    Reason.NO_METHODS: _("SeQura offered no payment method for this checkout."),
    Reason.SEQURA_UNAVAILABLE: _("We couldn't reach SeQura."),
    Reason.REFUSED_BY_SEQURA: _("SeQura rejected the cart."),
    Reason.ACCOUNT_REFUSED: _("SeQura rejected your account's username and password."),
    Reason.BIGCOMMERCE_UNAVAILABLE: _("We couldn't read the checkout from BigCommerce."),
    Reason.REFUSED_BY_BIGCOMMERCE: _(
        "BigCommerce didn't allow the app to read the checkout, its customer or its products."
    ),
    Reason.UNEXPLAINED_BALANCE: _(
        "The amount in the browser differed from the amount in BigCommerce, and the customer's"
        " store credit didn't explain the difference."
    ),
    Reason.GIFT_CERTIFICATE: _(
        "Part of the checkout was paid with something other than store credit, usually a gift"
        " certificate, and BigCommerce didn't show its amount to the app. General settings explain"
        " what the app needs for that."
    ),
    Reason.UNBALANCED: _("The cart lines didn't add up to BigCommerce's total."),
    Reason.UNREADABLE: _("The cart contained something that couldn't be sent to SeQura."),
    Reason.TOO_MANY_QUESTIONS: _(
        "Too many checkouts requested SeQura at that moment. Other checkouts in the same minute"
        " may not have shown SeQura either."
    ),
}

NOW: dict[Reason, str] = SENTENCES | {
    Reason.NOT_CONNECTED: _("The store isn't connected to SeQura."),
    Reason.CHANNEL: _("SeQura is off for this storefront."),
    Reason.COUNTRY: _("SeQura is off for this shipping country."),
    Reason.IP_NOT_ALLOWED: _(
        "The customer's IP address isn't on your list of allowed IP addresses."
    ),
    Reason.COMPANY: _("The customer is a company, and SeQura is off for companies."),
    Reason.CUSTOMER_GROUP: _("SeQura is off for the customer's group."),
    Reason.EXCLUDED_PRODUCT: _("The cart contains an excluded product."),
    Reason.EXCLUDED_CATEGORY: _("The cart contains a product from an excluded category."),
    Reason.DIGITAL_ONLY: _(
        "The cart contains nothing to ship, and SeQura is off for services in this country."
    ),
    Reason.NOTHING_LEFT_TO_PAY: _("There is nothing left to pay."),
    Reason.NOT_YET_AVAILABLE: _("The payment method isn't available yet."),
    Reason.NO_LONGER_AVAILABLE: _("The payment method is no longer available."),
    Reason.NO_METHODS: _("SeQura offers no payment method in this country."),
    Reason.ACCOUNT_REFUSED: _("SeQura rejects your account's username and password."),
}


_NOT_THIS_ORDER = _("SeQura isn't available for this order. Choose another payment method.")
_NOT_IN_THE_CART = _("Your cart contains something that can't be paid for with SeQura.")

# Messages for shoppers about a final reason: the first that applies. After a temporary one the
# script asks again; a missing input of the shopper needs no message.
FOR_SHOPPERS: dict[Reason, str] = {
    Reason.GIFT_CERTIFICATE: _(
        "SeQura can't be combined with a gift certificate. Remove it to pay with SeQura."
    ),
    Reason.COMPANY: _("SeQura isn't available to companies."),
    Reason.EXCLUDED_PRODUCT: _NOT_IN_THE_CART,
    Reason.EXCLUDED_CATEGORY: _NOT_IN_THE_CART,
    Reason.DIGITAL_ONLY: _("SeQura is only available for orders with products to ship."),
    Reason.COUNTRY: _("SeQura isn't available in this country."),
    Reason.CURRENCY: _("SeQura is only available for orders in euros."),
    Reason.AMOUNT: _("SeQura isn't available for this amount."),
    Reason.UNEXPLAINED_BALANCE: _(
        "The amount to pay has changed. Reload this page to pay with SeQura."
    ),
} | dict.fromkeys(
    [
        Reason.NOT_CONNECTED, Reason.ACCESS_LOST, Reason.CHANNEL, Reason.IP_NOT_ALLOWED,
        Reason.CUSTOMER_GROUP,
        Reason.NOT_YET_AVAILABLE, Reason.NO_LONGER_AVAILABLE, Reason.NO_METHODS,
        Reason.REFUSED_BY_SEQURA, Reason.ACCOUNT_REFUSED, Reason.REFUSED_BY_BIGCOMMERCE,
        Reason.UNBALANCED, Reason.UNREADABLE,
    ],
    _NOT_THIS_ORDER,
)  # fmt: skip


class NotOffered(Exception):
    """This checkout cannot be paid with SeQura; `detail` holds figures for the merchant."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        self.reason, self.detail = reason, detail
        super().__init__(detail or SENTENCES[reason])
