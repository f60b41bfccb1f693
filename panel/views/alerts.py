"""The settings page "Alerts": who receives email, what about, and at which hours not."""

from django.conf import settings
from django.db import IntegrityError, transaction
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from alerts.models import Mail, Recipient
from alerts.tasks import ask_for_confirmation, send_alerts
from panel.forms import AlertsForm, RecipientForm
from panel.notices import show
from panel.session import PanelRequest, panel_page
from panel.views.log import no_such_thing
from stores.models import Store
from stores.rate_limit import LIMITS, KeyLimit, RateLimited, consume
from stores.tasks import wake

_MOST = 5  # addresses of a store


@require_http_methods(["GET", "HEAD", "POST"])
@panel_page
def alerts(request: PanelRequest) -> HttpResponse:
    """Show the page, and save what is sent and when."""
    data = request.POST if request.method == "POST" else None
    form = AlertsForm(request.store, data)
    if data is not None and form.is_valid():
        form.save(request.store, request.author)
        return show(request, "alerts", "saved")
    return _page(request, form, RecipientForm(request.panel_user))


@require_POST
@panel_page
def add_recipient(request: PanelRequest) -> HttpResponse:
    """Add an address, and ask it whether it wants alerts."""
    form = RecipientForm(request.panel_user, request.POST)
    if form.is_valid() and settings.EMAIL_URL:
        if problem := _add(request.store, **form.cleaned_data):
            form.add_error("address", problem)
        else:
            return show(request, "alerts", "asked")
    return _page(request, AlertsForm(request.store), form)


def _add(store: Store, address: str, language: str) -> str:
    """Add an address and write the question. Return why not; empty when it is done."""
    if store.recipients.count() >= _MOST:
        return _("You can add up to %(n)s addresses. Remove one first.") % {"n": _MOST}
    if store.recipients.filter(address__iexact=address).exists():
        return _("This address is already on the list.")
    try:
        _count_question(store, address)
        with transaction.atomic():
            _ask(store.recipients.create(address=address, language=language))
    except RateLimited:
        return _("Too many confirmation emails were sent. Try again tomorrow.")
    except IntegrityError:  # a double click
        return ""
    return ""


@require_POST
@panel_page
def change_recipient(request: PanelRequest, recipient_id: int) -> HttpResponse:
    """Remove an address, or ask it again."""
    recipient = request.store.recipients.filter(pk=recipient_id).first()
    if recipient is None:
        return no_such_thing(request)
    if "again" not in request.POST:
        recipient.delete()
        return show(request, "alerts", "removed")
    if recipient.confirmed_at or not settings.EMAIL_URL:
        return show(request, "alerts")
    try:
        _count_question(request.store, recipient.address)
    except RateLimited:
        return show(request, "alerts", "asked_too_often")
    _ask(recipient)
    return show(request, "alerts", "asked")


def _count_question(store: Store, address: str) -> None:
    """Count a question: whoever reads it has not agreed to it yet. Raise RateLimited."""
    name = salted_hmac("alerts.address", address.lower(), algorithm="sha256").hexdigest()[:32]
    consume(
        f"confirmation of {store.pk}",
        **LIMITS["confirmation of a store"],
        also=[KeyLimit(f"confirmation to {name}", **LIMITS["confirmation to"])],
    )


def _ask(recipient: Recipient) -> None:
    ask_for_confirmation(recipient)
    wake(send_alerts)


def _page(request: PanelRequest, form: AlertsForm, adding: RecipientForm) -> HttpResponse:
    recipients = list(request.store.recipients.order_by("added_at"))
    waiting = Mail.objects.filter(recipient__in=recipients, kind=Mail.CONFIRM)
    context = {
        "form": form,
        "adding": adding,
        "recipients": recipients,
        "unsent": set(waiting.exclude(next_at=None).values_list("recipient_id", flat=True)),
        "is_set_up": bool(settings.EMAIL_URL),
        "is_full": len(recipients) >= _MOST,
        "most": _MOST,
    }
    status = 400 if form.errors or adding.errors else 200
    return render(request, "stores/alerts.html", context, status=status)
