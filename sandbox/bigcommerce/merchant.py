"""What the merchant does in the control panel. Used by its pages and by `POST /_control/merchant/…`.

Every function takes the order's id and keyword arguments that JSON can say, does the whole thing as
BigCommerce does it (totals, status, webhooks), and returns the document that changed:

    edit_order(order_id, lines=None, shipping_cost=None, discount=None)        -> order
        lines: [{"id": 8, "quantity": 2, "price": "19.90"},    change a line (quantity 0 removes it)
                {"product_id": 101, "quantity": 1},            add one from the catalogue
                {"name": "Engraving", "price": "5.00", "quantity": 1}]         add one by hand
        price is what the shopper pays for one, tax included
    edit_billing_address(order_id, **fields)                                   -> order
    edit_shipping_address(order_id, address_id=None, **fields)                 -> shipping address
    set_status(order_id, status_id)                                            -> order
    cancel(order_id)                                                           -> order
    ship(order_id, items=None, tracking_number="", carrier="", link="", comments="",
         address_id=None)                                                      -> shipment
        items: [{"order_product_id": 8, "quantity": 1}]; None is all that is left
    edit_shipment(order_id, shipment_id, **fields)                             -> shipment
    unship(order_id, shipment_id)                                              -> {}
    refund(order_id, items=None, shipping=None, amount=None, fees=None, tax_adjustment=None,
           provider="custom", declined=False, reason="")                       -> refund
        items: [{"order_product_id": 8, "quantity": 1}]; shipping: True (all of it) or an amount;
        amount: an arbitrary amount of the order; nothing of these given: all that is left
    add_note(order_id, text)                                                   -> order
    message(order_id, text)                                                    -> {}
    archive(order_id)                                                          -> {}

ValueError says why the control panel would not do it.
"""
