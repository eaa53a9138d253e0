-- expect: tg.on_start
tg.api.users.getUsers({ id = { { _ = "inputUserSelf" } } })
