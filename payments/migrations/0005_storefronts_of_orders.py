"""Orders from before their storefront was stored have that of their payment."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0005_channels'),
        ('payments', '0004_gift_certificates'),
    ]

    operations = [
        migrations.RunSQL(
            """
            UPDATE orders_order
               SET channel_id = payments_solicitation.channel_id
              FROM payments_solicitation
             WHERE payments_solicitation.store_id = orders_order.store_id
               AND payments_solicitation.reference = orders_order.reference
               AND payments_solicitation.channel_id <> 1
               AND orders_order.channel_id = 1
            """,
            migrations.RunSQL.noop,
        ),
    ]
