-- expect: set_client_DH_params cannot be called by scripts
-- MTProto's own.
tg.command("go", function(message)
  if pcall(tg.invoke, "req_pq_multi", { nonce = ("x"):rep(16) }) then message:answer("ESCAPED") end
  if pcall(tg.invoke, "destroy_session", { session_id = 1 }) then message:answer("ESCAPED") end
  if pcall(tg.invoke, "destroy_auth_key", {}) then message:answer("ESCAPED") end
  if pcall(tg.invoke, "ping", { ping_id = 1 }) then message:answer("ESCAPED") end
  if pcall(tg.invoke, "rpc_drop_answer", { req_msg_id = 1 }) then message:answer("ESCAPED") end
  tg.invoke("set_client_DH_params", {})
  message:answer("ESCAPED")
end)
