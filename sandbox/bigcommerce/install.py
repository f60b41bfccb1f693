"""BigCommerce's side of installing and opening the app.

    auth_url(scope=None, user="owner", locale="en-US")    -> str    the app's /auth with a fresh code
    load_url(user="owner", locale="en-US", url="/", channel_id=None, **claims) -> str
    uninstall(user="owner") -> status of the app's answer; the token dies, hooks and scripts go
    remove_user(user="staff") -> status of the app's answer
    install(**auth_url's)   -> {"auth": status, "load_url": …}      the whole click, without a browser

`user` is one of USERS ("owner", "staff", "other"). The URLs begin with SANDBOX_APP_URL, or with
`app_url=` when given (the app's public address as browsers see it).
"""
