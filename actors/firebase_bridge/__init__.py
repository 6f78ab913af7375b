"""FirebaseBridgeActor: what a user's Firebase tokens may say, and since when they count.

Owns: the Firebase vendor (client.py, service_account.py; plain HTTP, no Restate); for each user the
claims `tenant_id` and `role` that the platform wants in their tokens, and the moment before
which every token is void. The record decides, not the token: the edge reads it (Read, kept there
for at most five seconds) and refuses a token that says otherwise, so a change holds within ten
seconds although Firebase's tokens live an hour, and although Firebase may be down.

Key: `user_id`, percent-encoded: the Firebase `sub`, which is one person in whatever tenant.

State: `account`: the claims, the moment, how many changes there were and which Firebase has.

Called by: gateways and workflows (SetClaims, ClearClaims, RevokeSessions, Apply; actors below them
send these one-way); the edge (Read).

Calls: Firebase, in Apply. Changes only write the record and send Apply one-way, so that nobody
waits for the vendor while holding the key. Apply is shared: it tells Firebase what the record said
when it began, and reports what it told. When two run side by side the older may be the last that
Firebase hears; its report names an older change than the record does, and Apply is sent again.

Retries: SINGLETON; a failing Firebase is asked again, ever more seldom, for about a day.

Failure: reasons.py. Without a service account SetClaims and Apply answer UNAVAILABLE /
firebase.not_configured; taking rights away works all the same, because the edge needs no Firebase.
"""
