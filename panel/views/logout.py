"""The end of a session: BigCommerce's logout reaches us through the page, which posts here."""

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from panel.session import PanelRequest, panel_error, panel_page


@require_POST
@panel_page
def logout(request: PanelRequest) -> HttpResponse:
    """End this session."""
    request.panel_session.delete()
    return panel_error(
        request,
        200,
        _("You are logged out"),
        _("Open SeQura again from the Apps menu of your control panel."),
        request.store,
    )
