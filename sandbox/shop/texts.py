"""The shop's words and wares in the five languages of the demo: the English text is the key.

The checkout page has most words of its own (`static/shop/checkout.js`), as BigCommerce's has.
"""

LANGUAGES = ("es", "fr", "it", "pt")

# One row per text, in the order of LANGUAGES.
PAGES: dict[str, tuple[str, str, str, str]] = {
    "Skip to content": (
        "Ir al contenido",
        "Aller au contenu",
        "Vai al contenuto",
        "Ir para o conteúdo",
    ),
    "Shop": ("Tienda", "Boutique", "Negozio", "Loja"),
    "Guest": ("Invitado", "Invité", "Ospite", "Convidado"),
    "{amount} store credit": (
        "{amount} de crédito",
        "{amount} d’avoir",
        "{amount} di credito",
        "{amount} de crédito",
    ),
    "no store credit": ("sin crédito", "sans avoir", "senza credito", "sem crédito"),
    "Cart, {n} items": (
        "Carrito, {n} artículos",
        "Panier, {n} articles",
        "Carrello, {n} articoli",
        "Carrinho, {n} artigos",
    ),
    "a demo shop, nothing is sold here": (
        "una tienda de demostración: aquí no se vende nada",
        "une boutique de démonstration, rien n’y est vendu",
        "un negozio dimostrativo: qui non si vende nulla",
        "uma loja de demonstração: aqui nada se vende",
    ),
    "Control panel": (
        "Panel de control",
        "Panneau de contrôle",
        "Pannello di controllo",
        "Painel de controlo",
    ),
    "Things to keep for life": (
        "Cosas para toda la vida",
        "Des choses à garder toute la vie",
        "Cose per tutta la vita",
        "Coisas para toda a vida",
    ),
    "Furniture and living, made by people around Barcelona. Take it home today and pay at your own"
    " pace.": (
        "Muebles y hogar, hechos cerca de Barcelona. Llévatelo hoy y paga a tu ritmo.",
        (
            "Meubles et maison, fabriqués près de Barcelone. Emportez-les aujourd’hui, payez à"
            " votre rythme."
        ),
        "Mobili e casa, fatti vicino a Barcellona. Portali a casa oggi e paga con i tuoi tempi.",
        "Móveis e casa, feitos perto de Barcelona. Leve hoje e pague ao seu ritmo.",
    ),
    "Add": ("Añadir", "Ajouter", "Aggiungi", "Adicionar"),
    "Add {name} to cart": (
        "Añadir {name} al carrito",
        "Ajouter {name} au panier",
        "Aggiungi {name} al carrello",
        "Adicionar {name} ao carrinho",
    ),
    "All products": (
        "Todos los productos",
        "Tous les produits",
        "Tutti i prodotti",
        "Todos os produtos",
    ),
    "{rate} % VAT included": (
        "{rate} % de IVA incluido",
        "TVA de {rate} % incluse",
        "IVA {rate} % inclusa",
        "IVA de {rate} % incluído",
    ),
    "delivered by email": (
        "se entrega por correo electrónico",
        "envoyé par e-mail",
        "consegna via e-mail",
        "entregue por e-mail",
    ),
    "Quantity": ("Cantidad", "Quantité", "Quantità", "Quantidade"),
    "Quantity of {name}": (
        "Cantidad de {name}",
        "Quantité de {name}",
        "Quantità di {name}",
        "Quantidade de {name}",
    ),
    "Add to cart": (
        "Añadir al carrito",
        "Ajouter au panier",
        "Aggiungi al carrello",
        "Adicionar ao carrinho",
    ),
    "Cart": ("Carrito", "Panier", "Carrello", "Carrinho"),
    "Continue shopping": (
        "Seguir comprando",
        "Continuer mes achats",
        "Continua gli acquisti",
        "Continuar a comprar",
    ),
    "Your cart": ("Tu carrito", "Votre panier", "Il tuo carrello", "O seu carrinho"),
    "Update": ("Actualizar", "Mettre à jour", "Aggiorna", "Atualizar"),
    "Subtotal": ("Subtotal", "Sous-total", "Subtotale", "Subtotal"),
    "Shipping is chosen in the checkout.": (
        "El envío se elige en el proceso de pago.",
        "La livraison se choisit lors du paiement.",
        "La spedizione si sceglie al pagamento.",
        "O envio é escolhido no pagamento.",
    ),
    "Check out": ("Tramitar pedido", "Commander", "Procedi all’acquisto", "Finalizar compra"),
    "Your cart is empty.": (
        "Tu carrito está vacío.",
        "Votre panier est vide.",
        "Il tuo carrello è vuoto.",
        "O seu carrinho está vazio.",
    ),
    "See what we make": (
        "Mira lo que hacemos",
        "Voir nos créations",
        "Guarda cosa facciamo",
        "Veja o que fazemos",
    ),
    "Checkout": ("Proceso de pago", "Paiement", "Pagamento", "Pagamento"),
    "Shopping as": ("Comprar como", "Acheter en tant que", "Acquista come", "Comprar como"),
    "Switch": ("Cambiar", "Changer", "Cambia", "Mudar"),
    "Order {id}": ("Pedido {id}", "Commande {id}", "Ordine {id}", "Encomenda {id}"),
    "Thank you!": ("¡Gracias!", "Merci !", "Grazie!", "Obrigado!"),
    "Thank you {name}!": (
        "¡Gracias, {name}!",
        "Merci {name} !",
        "Grazie {name}!",
        "Obrigado {name}!",
    ),
    "Your order number is": (
        "Tu número de pedido es",
        "Votre numéro de commande est",
        "Il tuo numero d’ordine è",
        "O número da sua encomenda é",
    ),
    "We are reviewing your payment and will write to you at {email} as soon as it is done.": (
        "Estamos revisando tu pago y te escribiremos a {email} en cuanto terminemos.",
        "Nous vérifions votre paiement et vous écrirons à {email} dès que ce sera fait.",
        "Stiamo verificando il pagamento e ti scriveremo a {email} appena avremo finito.",
        "Estamos a rever o seu pagamento e escreveremos para {email} assim que terminarmos.",
    ),
    "A confirmation is on its way to {email}.": (
        "Te hemos enviado una confirmación a {email}.",
        "Une confirmation a été envoyée à {email}.",
        "Abbiamo inviato una conferma a {email}.",
        "Enviámos uma confirmação para {email}.",
    ),
    "Order summary": (
        "Resumen del pedido",
        "Récapitulatif",
        "Riepilogo dell’ordine",
        "Resumo da encomenda",
    ),
    "Shipping": ("Envío", "Livraison", "Spedizione", "Envio"),
    "Coupon": ("Cupón", "Code promo", "Coupon", "Cupão"),
    "Store credit": ("Crédito de la tienda", "Avoir", "Credito del negozio", "Crédito da loja"),
    "Total": ("Total", "Total", "Totale", "Total"),
    "Payment": ("Pago", "Paiement", "Pagamento", "Pagamento"),
    "Delivery": ("Entrega", "Livraison", "Consegna", "Entrega"),
    "See it as the merchant": (
        "Verlo como la tienda",
        "Le voir côté marchand",
        "Vedilo come il negozio",
        "Ver como o comerciante",
    ),
    "Order not found": (
        "Pedido no encontrado",
        "Commande introuvable",
        "Ordine non trovato",
        "Encomenda não encontrada",
    ),
    "This link is no longer valid, or the order belongs to somebody else. Log in to see your"
    " orders.": (
        (
            "Este enlace ya no es válido o el pedido es de otra persona. Inicia sesión para ver tus"
            " pedidos."
        ),
        (
            "Ce lien n’est plus valable, ou la commande appartient à quelqu’un d’autre."
            " Connectez-vous pour voir vos commandes."
        ),
        (
            "Questo link non è più valido o l’ordine è di un’altra persona. Accedi per vedere i"
            " tuoi ordini."
        ),
        (
            "Esta ligação já não é válida ou a encomenda é de outra pessoa. Inicie sessão para ver"
            " as suas encomendas."
        ),
    ),
    "Back to the shop": (
        "Volver a la tienda",
        "Retour à la boutique",
        "Torna al negozio",
        "Voltar à loja",
    ),
    "Terms and conditions": (
        "Términos y condiciones",
        "Conditions générales",
        "Termini e condizioni",
        "Termos e condições",
    ),
    "This shop exists to show how a purchase with SeQura goes. Nothing is sold, nothing is"
    " delivered, and no money moves.": (
        (
            "Esta tienda muestra cómo es una compra con SeQura. No se vende ni se entrega nada y no"
            " se mueve dinero."
        ),
        (
            "Cette boutique montre comment se passe un achat avec SeQura. Rien n’est vendu ni"
            " livré, et aucun argent ne circule."
        ),
        (
            "Questo negozio mostra un acquisto con SeQura. Non si vende né si consegna nulla, e"
            " nessun denaro si muove."
        ),
        (
            "Esta loja mostra uma compra com a SeQura. Nada é vendido nem entregue, e nenhum"
            " dinheiro circula."
        ),
    ),
}
# What the catalogue holds: a merchant's own words, which BigCommerce passes on as they are.
WARES: dict[str, tuple[str, str, str, str]] = {
    "Living room": ("Salón", "Salon", "Soggiorno", "Sala"),
    "Kitchen": ("Cocina", "Cuisine", "Cucina", "Cozinha"),
    "Bedroom": ("Dormitorio", "Chambre", "Camera da letto", "Quarto"),
    "Workshops": ("Talleres", "Ateliers", "Laboratori", "Workshops"),
    "Gifts": ("Regalos", "Cadeaux", "Regali", "Presentes"),
    "Armchair Costa Brava": (
        "Butaca Costa Brava",
        "Fauteuil Costa Brava",
        "Poltrona Costa Brava",
        "Poltrona Costa Brava",
    ),
    "Oak frame, washed linen, made in Girona.": (
        "Estructura de roble y lino lavado, hecha en Girona.",
        "Structure en chêne, lin lavé, fabriqué à Gérone.",
        "Struttura in rovere, lino lavato, fatta a Girona.",
        "Estrutura de carvalho, linho lavado, feita em Girona.",
    ),
    "Lamp Montseny": (
        "Lámpara Montseny",
        "Lampe Montseny",
        "Lampada Montseny",
        "Candeeiro Montseny",
    ),
    "Hand-blown glass and brushed brass.": (
        "Vidrio soplado a mano y latón cepillado.",
        "Verre soufflé et laiton brossé.",
        "Vetro soffiato a mano e ottone spazzolato.",
        "Vidro soprado à mão e latão escovado.",
    ),
    "Rug Empordà 160 × 230": (
        "Alfombra Empordà 160 × 230",
        "Tapis Empordà 160 × 230",
        "Tappeto Empordà 160 × 230",
        "Tapete Empordà 160 × 230",
    ),
    "Wool from the Pyrenees, woven by hand.": (
        "Lana de los Pirineos, tejida a mano.",
        "Laine des Pyrénées, tissée à la main.",
        "Lana dei Pirenei, tessuta a mano.",
        "Lã dos Pirenéus, tecida à mão.",
    ),
    "Coffee set Terra, 6 pieces": (
        "Juego de café Terra, 6 piezas",
        "Service à café Terra, 6 pièces",
        "Servizio da caffè Terra, 6 pezzi",
        "Serviço de café Terra, 6 peças",
    ),
    "Stoneware from La Bisbal.": (
        "Gres de La Bisbal.",
        "Grès de La Bisbal.",
        "Gres di La Bisbal.",
        "Grés de La Bisbal.",
    ),
    "Oak table Priorat": (
        "Mesa de roble Priorat",
        "Table en chêne Priorat",
        "Tavolo in rovere Priorat",
        "Mesa de carvalho Priorat",
    ),
    "Solid oak, seats eight.": (
        "Roble macizo, para ocho personas.",
        "Chêne massif, huit places.",
        "Rovere massiccio, otto posti.",
        "Carvalho maciço, oito lugares.",
    ),
    "Linen bedding Delta": (
        "Ropa de cama de lino Delta",
        "Parure de lit en lin Delta",
        "Completo letto in lino Delta",
        "Roupa de cama de linho Delta",
    ),
    "Stone-washed linen, softer every year.": (
        "Lino lavado a la piedra, más suave cada año.",
        "Lin stone-washed, plus doux chaque année.",
        "Lino stone-washed, ogni anno più morbido.",
        "Linho lavado, mais macio a cada ano.",
    ),
    "Cookbook “La taula gran”": (
        "Libro de cocina «La taula gran»",
        "Livre de cuisine « La taula gran »",
        "Libro di cucina «La taula gran»",
        "Livro de cozinha «La taula gran»",
    ),
    "A hundred recipes for long evenings.": (
        "Cien recetas para noches largas.",
        "Cent recettes pour de longues soirées.",
        "Cento ricette per lunghe serate.",
        "Cem receitas para noites longas.",
    ),
    "Online workshop: ceramics": (
        "Taller en línea: cerámica",
        "Atelier en ligne : céramique",
        "Laboratorio online: ceramica",
        "Workshop online: cerâmica",
    ),
    "Four hours of video, for ever yours.": (
        "Cuatro horas de vídeo, tuyas para siempre.",
        "Quatre heures de vidéo, à vous pour toujours.",
        "Quattro ore di video, tue per sempre.",
        "Quatro horas de vídeo, suas para sempre.",
    ),
    "Standard delivery": (
        "Envío estándar",
        "Livraison standard",
        "Spedizione standard",
        "Envio normal",
    ),
    "Express delivery, 24 h": (
        "Envío exprés, 24 h",
        "Livraison express, 24 h",
        "Spedizione express, 24 h",
        "Envio expresso, 24 h",
    ),
    "Pick up in our shop": (
        "Recogida en tienda",
        "Retrait en boutique",
        "Ritiro in negozio",
        "Recolha na loja",
    ),
    "Spain": ("España", "Espagne", "Spagna", "Espanha"),
    "France": ("Francia", "France", "Francia", "França"),
    "Italy": ("Italia", "Italie", "Italia", "Itália"),
    "Portugal": ("Portugal", "Portugal", "Portogallo", "Portugal"),
}


def text(english: str, language: str, **values: object) -> str:
    """A text of the pages; KeyError for one that has no row."""
    row = PAGES[english]
    told = row[LANGUAGES.index(language)] if language in LANGUAGES else english
    return told.format(**values)


def ware(name: str, language: str) -> str:
    """What the merchant sells in the shopper's language; any other name stays as it is."""
    row = WARES.get(name)
    return row[LANGUAGES.index(language)] if row and language in LANGUAGES else name


def wares(language: str) -> dict[str, str]:
    """All of them, for the checkout page's own script."""
    return {name: ware(name, language) for name in WARES}
