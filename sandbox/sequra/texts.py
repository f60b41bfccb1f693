"""The identification form's words in the five languages of the demo."""

LANGUAGES = ("es", "en", "fr", "it", "pt")

# One row per text, in the order of LANGUAGES.
ROWS: dict[str, tuple[str, str, str, str, str]] = {
    "title": (
        "Completa tu compra",
        "Complete your purchase",
        "Finalisez votre achat",
        "Completa il tuo acquisto",
        "Conclua a sua compra",
    ),
    "intro": (
        "Solo necesitamos unos datos. La respuesta es inmediata.",
        "We only need a few details. The answer is immediate.",
        "Quelques informations suffisent. La réponse est immédiate.",
        "Bastano pochi dati. La risposta è immediata.",
        "Só precisamos de alguns dados. A resposta é imediata.",
    ),
    "summary": (
        "Tu compra",
        "Your purchase",
        "Votre achat",
        "Il tuo acquisto",
        "A sua compra",
    ),
    "total": ("Total", "Total", "Total", "Totale", "Total"),
    "given_names": ("Nombre", "Given names", "Prénom", "Nome", "Nome próprio"),
    "surnames": ("Apellidos", "Surnames", "Nom", "Cognome", "Apelidos"),
    "mobile_phone": ("Móvil", "Mobile phone", "Portable", "Cellulare", "Telemóvel"),
    "date_of_birth": (
        "Fecha de nacimiento",
        "Date of birth",
        "Date de naissance",
        "Data di nascita",
        "Data de nascimento",
    ),
    "date_hint": ("DD/MM/AAAA", "DD/MM/YYYY", "JJ/MM/AAAA", "GG/MM/AAAA", "DD/MM/AAAA"),
    "nin": ("DNI o NIE", "Identity number", "Numéro d'identité", "Codice fiscale", "NIF"),
    "privacy": (
        "He leído y acepto las condiciones y la política de privacidad de SeQura.",
        "I have read and accept SeQura's terms and privacy policy.",
        "J'ai lu et j'accepte les conditions et la politique de confidentialité de SeQura.",
        "Ho letto e accetto le condizioni e l'informativa sulla privacy di SeQura.",
        "Li e aceito as condições e a política de privacidade da SeQura.",
    ),
    "continue": ("Continuar", "Continue", "Continuer", "Continua", "Continuar"),
    "close": ("Cerrar", "Close", "Fermer", "Chiudi", "Fechar"),
    "otp_title": (
        "Confirma tu móvil",
        "Confirm your phone",
        "Confirmez votre portable",
        "Conferma il tuo cellulare",
        "Confirme o seu telemóvel",
    ),
    "otp_intro": (
        "Escribe el código de 5 cifras que hemos enviado por SMS al",
        "Enter the 5-digit code we sent by SMS to",
        "Saisissez le code à 5 chiffres envoyé par SMS au",
        "Inserisci il codice di 5 cifre inviato via SMS al",
        "Escreva o código de 5 algarismos enviado por SMS para",
    ),
    "otp_wrong": (
        "El código no es correcto. Inténtalo de nuevo.",
        "The code is not right. Please try again.",
        "Le code n'est pas correct. Réessayez.",
        "Il codice non è corretto. Riprova.",
        "O código não está correto. Tente de novo.",
    ),
    "pay": (
        "Confirmar compra",
        "Confirm purchase",
        "Confirmer l'achat",
        "Conferma l'acquisto",
        "Confirmar compra",
    ),
    "waiting": (
        "Estamos confirmando tu compra con la tienda…",
        "We are confirming your purchase with the shop…",
        "Nous confirmons votre achat avec la boutique…",
        "Stiamo confermando il tuo acquisto con il negozio…",
        "Estamos a confirmar a sua compra com a loja…",
    ),
    "approved": (
        "¡Listo! Volvemos a la tienda…",
        "Done! Taking you back to the shop…",
        "C'est fait ! Retour à la boutique…",
        "Fatto! Torniamo al negozio…",
        "Pronto! De volta à loja…",
    ),
    "on_hold_title": (
        "Estamos revisando tu pedido",
        "We are reviewing your order",
        "Nous examinons votre commande",
        "Stiamo esaminando il tuo ordine",
        "Estamos a rever a sua encomenda",
    ),
    "on_hold": (
        "Tu pedido está en espera y lo revisará una persona. Te avisaremos por correo.",
        "Your order is on hold and needs to be manually reviewed. We will let you know by e-mail.",
        "Votre commande est en attente d'un examen. Nous vous préviendrons par e-mail.",
        "Il tuo ordine è in attesa di verifica. Ti avviseremo via e-mail.",
        "A sua encomenda está em espera e será revista. Avisamos por e-mail.",
    ),
    "back": (
        "Volver a la tienda",
        "Back to the shop",
        "Retour à la boutique",
        "Torna al negozio",
        "Voltar à loja",
    ),
    "reject_title": (
        "Esta vez no ha sido posible",
        "Not possible this time",
        "Pas possible cette fois",
        "Questa volta non è possibile",
        "Desta vez não foi possível",
    ),
    "reject": (
        "No podemos ofrecerte este método de pago. Elige otro en la tienda.",
        "We cannot offer you this payment method. Please choose another one in the shop.",
        "Nous ne pouvons pas vous proposer ce moyen de paiement. Choisissez-en un autre.",
        "Non possiamo offrirti questo metodo di pagamento. Scegline un altro nel negozio.",
        "Não podemos oferecer este método de pagamento. Escolha outro na loja.",
    ),
    "conflict_title": (
        "Tu carrito ha cambiado",
        "Your cart has changed",
        "Votre panier a changé",
        "Il tuo carrello è cambiato",
        "O seu carrinho mudou",
    ),
    "conflict": (
        "La tienda no ha podido aceptar el pedido. No se te ha cobrado nada.",
        "The shop could not accept the order. You have not been charged.",
        "La boutique n'a pas pu accepter la commande. Rien n'a été débité.",
        "Il negozio non ha potuto accettare l'ordine. Non ti è stato addebitato nulla.",
        "A loja não pôde aceitar a encomenda. Nada lhe foi cobrado.",
    ),
    "error_title": (
        "Algo ha fallado",
        "Something went wrong",
        "Une erreur est survenue",
        "Qualcosa è andato storto",
        "Algo correu mal",
    ),
    "error": (
        "La tienda no responde. Vuelve a ella para ver si tu pedido está hecho.",
        "The shop does not answer. Go back to it to see whether your order was placed.",
        "La boutique ne répond pas. Retournez-y pour voir si votre commande est passée.",
        "Il negozio non risponde. Torna lì per vedere se il tuo ordine è registrato.",
        "A loja não responde. Volte lá para ver se a encomenda foi feita.",
    ),
    "blank": (
        "Este campo es obligatorio.",
        "This field is required.",
        "Ce champ est obligatoire.",
        "Questo campo è obbligatorio.",
        "Este campo é obrigatório.",
    ),
    "wrong_phone": (
        "Escribe un móvil de 9 cifras.",
        "Enter a phone number of 9 digits or more.",
        "Saisissez un numéro de portable valable.",
        "Inserisci un numero di cellulare valido.",
        "Escreva um número de telemóvel válido.",
    ),
    "wrong_date": (
        "Escribe la fecha como 01/01/2000.",
        "Enter the date as 01/01/2000.",
        "Saisissez la date sous la forme 01/01/2000.",
        "Inserisci la data come 01/01/2000.",
        "Escreva a data como 01/01/2000.",
    ),
    "wrong_nin": (
        "Ese documento no es válido.",
        "This identity number is not valid.",
        "Ce numéro n'est pas valable.",
        "Questo codice non è valido.",
        "Esse documento não é válido.",
    ),
    "wrong_privacy": (
        "Para seguir tienes que aceptarlas.",
        "You have to accept them to go on.",
        "Vous devez les accepter pour continuer.",
        "Per proseguire devi accettarle.",
        "Para continuar tem de as aceitar.",
    ),
    "sandbox": (
        "Entorno de pruebas: no se hace ningún pago.",
        "Test environment: no payment is made.",
        "Environnement de test : aucun paiement n'est effectué.",
        "Ambiente di prova: non viene effettuato alcun pagamento.",
        "Ambiente de testes: nenhum pagamento é feito.",
    ),
    "sandbox_help": (
        (
            "DNI 23232323T, nacimiento 01/01/2000, código SMS: las 5 últimas cifras del móvil. "
            "Nombre «Review Test Approve» o «Review Test Cancel»: revisión manual. "
            "«Test Decline» o menor de 18 años: rechazo."
        ),
        (
            "Identity number 23232323T, born 01/01/2000, SMS code: the phone's last 5 digits. "
            "Given names “Review Test Approve” or “Review Test Cancel”: manual review. "
            "“Test Decline” or younger than 18: rejected."
        ),
        (
            "Né le 01/01/2000, code SMS : les 5 derniers chiffres du portable. "
            "Prénom « Review Test Approve » ou « Review Test Cancel » : examen manuel. "
            "« Test Decline » ou moins de 18 ans : refus."
        ),
        (
            "Nascita 01/01/2000, codice SMS: le ultime 5 cifre del cellulare. "
            "Nome «Review Test Approve» o «Review Test Cancel»: verifica manuale. "
            "«Test Decline» o minore di 18 anni: rifiuto."
        ),
        (
            "Nascimento 01/01/2000, código SMS: os últimos 5 algarismos do telemóvel. "
            "Nome «Review Test Approve» ou «Review Test Cancel»: revisão manual. "
            "«Test Decline» ou menor de 18 anos: recusa."
        ),
    ),
}


def language_of(code: str) -> str:
    """The form's language for a language code such as fr-FR; Spanish for one it does not speak."""
    language = code[:2]
    return language if language in LANGUAGES else "es"


def texts(language: str) -> dict[str, str]:
    column = LANGUAGES.index(language)
    return {name: row[column] for name, row in ROWS.items()}
