"""BigCommerce's APIs, as far as the app uses them. Without Django."""
