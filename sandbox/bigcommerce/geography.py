"""Countries, provinces and currencies the pretend store knows."""

# ISO2: (id, name, ISO3, some states as (name, abbreviation))
COUNTRIES = {
    "ES": (195, "Spain", "ESP", [("Barcelona", "B"), ("Madrid", "M"), ("Valencia", "V")]),
    "FR": (73, "France", "FRA", []),
    "IT": (105, "Italy", "ITA", [("Milano", "MI"), ("Roma", "RM")]),
    "PT": (171, "Portugal", "PRT", []),
    "DE": (80, "Germany", "DEU", []),
    "CO": (47, "Colombia", "COL", []),
    "MX": (138, "Mexico", "MEX", []),
    "US": (226, "United States", "USA", [("Texas", "TX"), ("New York", "NY")]),
}

# code: (id, name, symbol, decimal places, is transactional)
CURRENCIES = {
    "EUR": (1, "Euro", "€", 2, True),
    "USD": (2, "US Dollar", "$", 2, True),
    "GBP": (3, "Pound Sterling", "£", 2, False),
}


def country_name(iso2: str) -> str:
    return COUNTRIES[iso2][1] if iso2 in COUNTRIES else ""


def state_code(iso2: str, state: str) -> str:
    """The abbreviation of a state or province, "" when unknown."""
    for name, abbreviation in COUNTRIES.get(iso2, (0, "", "", []))[3]:
        if name == state:
            return abbreviation
    return ""


# People and addresses for checkouts nobody described further.
ADDRESSES = {
    "ES": ("Lucía", "Fernández Ortiz", "Carrer de Mallorca 401", "Barcelona", "Barcelona",
           "08013", "+34 600 123 456"),
    "FR": ("Camille", "Lefèvre", "12 rue de la République", "Lyon", "", "69002",
           "+33 6 12 34 56 78"),
    "IT": ("Chiara", "Rossi", "Via Torino 12", "Milano", "Milano", "20123", "+39 320 123 4567"),
    "PT": ("João", "Gonçalves", "Rua Augusta 100", "Lisboa", "", "1100-053", "+351 912 345 678"),
    "DE": ("Anna", "Schmidt", "Torstraße 1", "Berlin", "", "10119", "+49 151 23456789"),
    "CO": ("Valentina", "Gómez", "Carrera 7 # 71-21", "Bogotá", "", "110231", "+57 300 123 4567"),
    "MX": ("Sofía", "Hernández", "Av. Reforma 222", "Ciudad de México", "", "06600",
           "+52 55 1234 5678"),
    "US": ("Jane", "Doe", "555 East Street", "Austin", "Texas", "78108", "+1 512 555 0123"),
}  # fmt: skip


def address(iso2: str, email: str = "") -> dict[str, str]:
    """A complete address in a country, as V3 checkouts hold them."""
    first, last, street, city, state, zip_code, phone = ADDRESSES.get(iso2, ADDRESSES["ES"])
    return {
        "first_name": first, "last_name": last, "email": email or "shopper@example.com",
        "company": "", "address1": street, "address2": "", "city": city,
        "state_or_province": state, "state_or_province_code": state_code(iso2, state),
        "country": country_name(iso2), "country_code": iso2, "postal_code": zip_code,
        "phone": phone,
    }  # fmt: skip
