"""BigCommerce's callbacks and the pages of the control panel."""
