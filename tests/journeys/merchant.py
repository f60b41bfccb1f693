"""A merchant with a browser: BigCommerce's control panel, and our app in its frames."""

from dataclasses import dataclass

from playwright.sync_api import FrameLocator, Locator, Page, expect

from tests.journeys.system import System


@dataclass
class Merchant:
    """Speaks of what people see in the demo control panel."""

    page: Page
    system: System

    @property
    def panel(self) -> str:
        return self.system.stack.origin("panel")

    @property
    def app(self) -> FrameLocator:
        """Our app in the control panel."""
        return self.page.frame_locator("iframe.app-frame")

    def install(self) -> None:
        """The install button, and our page after /auth in the frame."""
        self.page.goto(f"{self.panel}/manage/apps")
        self.page.get_by_role("link", name="Install", exact=True).click()
        expect(self.app.get_by_role("heading", name="SeQura is installed")).to_be_visible()

    def open_app_from_there(self) -> None:
        """The link on that page opens the app by BigCommerce's own address, in a new tab."""
        with self.page.context.expect_page() as opened:
            self.app.get_by_role("link", name="Open SeQura").click()
        self.page = opened.value
        expect(self.app.get_by_role("heading", name="Overview")).to_be_visible()

    def go_to(self, page_name: str) -> None:
        """A tab of our app."""
        self.app.get_by_role("navigation").get_by_role("link", name=page_name).click()

    def follow_the_guide(self, station: str) -> None:
        """A step of onboarding."""
        guide = self.app.get_by_role("navigation", name="Getting started")
        guide.get_by_role("link", name=station).click()

    def connect(self, username: str, password: str) -> None:
        """The form with SeQura's credentials."""
        self.app.get_by_label("Sandbox").check()
        box = self.app.get_by_role("group", name="SeQura")
        box.get_by_label("Username").fill(username)
        box.get_by_label("Password").fill(password)
        self.app.get_by_role("button", name="Connect").click()

    # --- Orders ----------------------------------------------------------------------------------

    def order(self, number: int) -> Locator:
        """An order's row in the list."""
        self.page.goto(f"{self.panel}/manage/orders?q={number}")
        return self.page.locator(f'tr[data-order="{number}"]')

    def status_of(self, number: int) -> str:
        """What the list shows, read anew."""
        status = self.order(number).locator("select[name=status_id] option[selected]")
        return (status.text_content() or "").strip()

    def open_side_panel(self, number: int) -> FrameLocator:
        """The entry of our app in the order's Action menu."""
        row = self.order(number)
        row.get_by_label(f"Action menu of order {number}").click()
        row.get_by_role("link", name="SeQura order").click()
        return self.page.frame_locator("#side iframe")
