"""The demo shop: a furniture and living shop in Barcelona, prices in euros with Spanish IVA."""

from decimal import Decimal
from urllib.parse import quote

from sandbox.bigcommerce.models import (
    Category,
    Channel,
    Coupon,
    Customer,
    CustomerGroup,
    GiftCertificate,
    Product,
)

CATEGORIES = {23: "Living room", 24: "Kitchen", 25: "Bedroom", 26: "Workshops", 27: "Gifts"}

# id, name, sku, type, price, tax rate, brand, weight (kg), categories, colours and shape, text
PRODUCTS = [
    (101, "Armchair Costa Brava", "CHAIR-CB", "physical", "389.00", 21, "Mar de Fondo", 14, [23],
     ("#e7d8c9", "#b5654a", "chair"), "Oak frame, washed linen, made in Girona."),
    (102, "Lamp Montseny", "LAMP-01", "physical", "89.95", 21, "Llum", 2, [23, 25],
     ("#dfe7e3", "#2f6f62", "lamp"), "Hand-blown glass and brushed brass."),
    (103, "Rug Empordà 160 × 230", "RUG-160", "physical", "249.00", 21, "Teixit", 9, [23],
     ("#efe3d3", "#c98b3c", "rug"), "Wool from the Pyrenees, woven by hand."),
    (104, "Coffee set Terra, 6 pieces", "CUP-6", "physical", "54.90", 21, "Terra", 3, [24],
     ("#f1e9e1", "#7a4b33", "cup"), "Stoneware from La Bisbal."),
    (105, "Oak table Priorat", "TABLE-180", "physical", "749.00", 21, "Mar de Fondo", 42, [24],
     ("#e9e4dc", "#8a6a45", "table"), "Solid oak, seats eight."),
    (106, "Linen bedding Delta", "BED-LIN", "physical", "129.50", 21, "Teixit", 3, [25],
     ("#e4e9f1", "#5a7bb0", "bed"), "Stone-washed linen, softer every year."),
    (107, "Cookbook “La taula gran”", "BOOK-TG", "physical", "32.00", 4, "Fulls", 1, [24, 27],
     ("#f3e4e1", "#a8323e", "book"), "A hundred recipes for long evenings."),
    (108, "Online workshop: ceramics", "WS-CERAM", "digital", "45.00", 21, "Terra", 0, [26],
     ("#ece6f2", "#6b4f9a", "play"), "Four hours of video, for ever yours."),
]  # fmt: skip

SHAPES = {
    "chair": "M70 60h60a10 10 0 0 1 10 10v45h15v45h-12v20h-10v-20H67v20H57v-20H45v-45h15V70a10 10"
    " 0 0 1 10-10z",
    "lamp": "M75 45h50l22 55H53zM96 100h8v60h22v10H74v-10h22z",
    "rug": "M40 60h120v80H40zM30 64h6v72h-6zM164 64h6v72h-6z",
    "cup": "M55 75h75v45a25 25 0 0 1-25 25H80a25 25 0 0 1-25-25zM134 85h12a14 14 0 0 1 0 32h-12zM45"
    " 152h95v8H45z",
    "table": "M35 75h130v14H35zM45 89h10v70H45zM145 89h10v70h-10z",
    "bed": "M40 70h10v40h100V95a15 15 0 0 0-15-15H95v30H50V70zM40 116h120v40h-10v-18H50v18H40z",
    "book": "M60 45h70a12 12 0 0 1 12 12v100H72a12 12 0 0 1-12-12zM72 137h60v10H72z",
    "play": "M100 45a55 55 0 1 1 0 110a55 55 0 0 1 0-110zM86 76v48l42-24z",
}


def picture(background: str, colour: str, shape: str) -> str:
    """The product's picture as a data URI."""
    svg = (
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 200 200'>"
        f"<rect width='200' height='200' fill='{background}'/>"
        f"<path d='{SHAPES[shape]}' fill='{colour}' fill-rule='evenodd'/></svg>"
    )
    return "data:image/svg+xml," + quote(svg)


def seed(store_name: str, shop_url: str) -> None:
    """Channel, catalogue, customers, coupons, gift certificates."""
    Channel.objects.create(id=1, name=store_name, url=shop_url, checkout_url=shop_url)
    Category.objects.bulk_create(Category(id=i, name=name) for i, name in CATEGORIES.items())
    Product.objects.bulk_create(
        Product(
            id=number, name=name, sku=sku, type=kind, price=Decimal(price), tax_rate=rate,
            brand=brand, weight=weight, categories=categories, image=picture(*look),
            description=text,
        )
        for number, name, sku, kind, price, rate, brand, weight, categories, look, text in PRODUCTS
    )  # fmt: skip
    for number, first, last, credit in (
        (11, "Lucía", "Fernández Ortiz", "50.00"),
        (12, "Marc", "Puig i Serra", "0"),
        (13, "Chiara", "Rossi", "2500.00"),
    ):
        Customer.objects.create(
            id=number, first_name=first, last_name=last, phone="+34 600 123 456",
            email=f"{first.lower().replace('í', 'i')}@example.com", store_credit=Decimal(credit),
        )  # fmt: skip
    CustomerGroup.objects.bulk_create(
        CustomerGroup(id=number, name=name) for number, name in ((1, "Mayoristas"), (2, "Amigos"))
    )
    for code, name, kind, amount in (
        ("SAVE10", "10 % off", 1, 10),
        ("MINUS20", "20 € off the order", 2, 20),
        ("ITEM5", "5 € off each item", 0, 5),
        ("SHIP3", "3 € off shipping", 3, 3),
        ("FREESHIP", "Free shipping", 4, 0),
    ):
        Coupon.objects.create(code=code, name=name, type=kind, amount=amount)
    GiftCertificate.objects.create(code="GIFT-30", balance=30)
