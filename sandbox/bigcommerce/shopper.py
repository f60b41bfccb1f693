"""What a shopper does up to the payment step. Used by the shop's pages and the control API.

    make_checkout(lines=None, country="ES", customer_id=0, email="", currency="EUR", channel_id=1,
                  coupon="", store_credit=False, shipping="standard", address=None,
                  billing=None, discount=0, fees=None, message="", locale="es",
                  payable=True)                                                -> Checkout
        lines: [{"product_id": 101, "quantity": 2}, {"sku": "LAMP-01"},
                {"name": "Anything", "price": "33.333", "quantity": 3, "sku": "", "tax_rate": 21,
                 "type": "physical"}]; None is two products of the catalogue
        payable=False leaves out addresses and shipping; address and billing override fields
    add_line(checkout, product_id, quantity=1)
    change_quantity(checkout, line_id, quantity)          0 removes the line
    set_customer(checkout, customer_id=0, email="")
    set_address(checkout, address, billing=True, shipping=True)
        address: {"first_name", "last_name", "email", "company", "address1", "address2", "city",
                  "state_or_province", "postal_code", "country_code", "phone"}
    shipping_options(checkout)                            -> [{"id", "description", "cost", …}]
    choose_shipping(checkout, option_id)
    apply_coupon(checkout, code), remove_coupon(checkout, code)
    apply_gift_certificate(checkout, code)
    toggle_store_credit(checkout, applied)
    set_message(checkout, text)
    place_order(checkout, method="Cash on Delivery")      -> Order; paid another way than SeQura

The functions without an arrow return the changed checkout, already stored. `totals.of(checkout)`
(sandbox/bigcommerce/totals.py) has what the pages show. ValueError says what the shop would say.
"""
