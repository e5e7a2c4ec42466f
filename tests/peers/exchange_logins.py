#!/usr/bin/env python3
"""exchangelib (with pyspnego's NTLM and oauthlib) logs on to the Exchange simulator over TLS.

Usage: exchange_logins.py URL USER PASSWORD ROOT
  URL   the server, https; it takes NTLM and bearer tokens
  ROOT  a PEM file with the authority of its certificate

NTLM: as exchangelib finds out by itself, with names in each form, and a stream beside calls. A wrong password, a login
that is not bound to the TLS connection, and one without TLS's certificate known are refused. OAuth: client
credentials; a wrong secret and a guessed token are refused. The first difference ends the script with exit code 1.
"""
import argparse
import datetime
import os
import queue
import secrets
import threading

PARSER = argparse.ArgumentParser(description=__doc__.split("\n")[0])
for name in ("url", "user", "password", "root"):
    PARSER.add_argument(name)
ARGUMENTS = PARSER.parse_args()
# before requests is loaded
os.environ["REQUESTS_CA_BUNDLE"] = ARGUMENTS.root

import requests
import requests_ntlm
from exchangelib import IMPERSONATION, Account, CalendarItem, Configuration, Credentials, EWSDateTime, EWSTimeZone
from exchangelib import Identity, OAuth2Credentials
from exchangelib.errors import UnauthorizedError
from exchangelib.properties import CreatedEvent
from exchangelib.protocol import BaseProtocol, FailFast
from exchangelib.version import EXCHANGE_2016, Version

WAIT_SECONDS = 30
ZONE = EWSTimeZone("Europe/Copenhagen")
ENDPOINT = ARGUMENTS.url.rstrip("/") + "/EWS/Exchange.asmx"
TOKENS = ARGUMENTS.url.rstrip("/") + "/oauth2/v2.0/token"


def check(condition, what, *details):
    """One assertion that says what it is about."""
    if not condition:
        raise AssertionError(f"{what}: {details}")


def done(what):
    print(f"ok  {what}", flush=True)


def logons():
    return requests.get(ARGUMENTS.url.rstrip("/") + "/admin/meter", timeout=30).json()["logons"]


def account(credentials, **options):
    config = Configuration(
        service_endpoint=ENDPOINT, credentials=credentials, retry_policy=FailFast(), max_connections=4, **options
    )
    return Account("m0001@sim.test", config=config, autodiscover=False, access_type=IMPERSONATION)


def create(owner, hour):
    start = EWSDateTime(2026, 3, 2, hour, tzinfo=ZONE)
    end = start + datetime.timedelta(hours=1)
    item = CalendarItem(account=owner, folder=owner.calendar, subject="x", start=start, end=end)
    return item.save()


def ntlm():
    for user in (ARGUMENTS.user, f"SIM\\{ARGUMENTS.user}", f"{ARGUMENTS.user}@sim.test"):
        owner = account(Credentials(user, ARGUMENTS.password))
        check(owner.protocol.auth_type == "NTLM", "exchangelib finds out", owner.protocol.auth_type)
        before = logons()
        create(owner, 9)
        check(owner.calendar.all().count() > 0, "the calendar is read")
        after = logons()
        check(after["ntlm"] > before["ntlm"], "calls over connections that NTLM logged on", before, after)
        done(f"NTLM as {user}")


def ntlm_stream():
    owner = account(Credentials(ARGUMENTS.user, ARGUMENTS.password))
    subscription = owner.calendar.subscribe_to_streaming()
    seen = queue.Queue()

    def listen():
        for notification in owner.calendar.get_streaming_events(subscription, connection_timeout=1):
            for event in notification.events:
                seen.put(event)

    threading.Thread(target=listen, daemon=True).start()
    until = datetime.datetime.now() + datetime.timedelta(seconds=WAIT_SECONDS)
    created = create(owner, 11)
    while datetime.datetime.now() < until:
        event = seen.get(timeout=WAIT_SECONDS)
        if isinstance(event, CreatedEvent) and event.item_id and event.item_id.id == created.id:
            done("a notification over a stream of NTLM")
            return
    raise AssertionError("no notification")


def refusals():
    try:
        create(account(Credentials(ARGUMENTS.user, "wrong"), auth_type="NTLM", version=Version(EXCHANGE_2016)), 9)
    except UnauthorizedError:
        done("a wrong password is refused")
    else:
        raise AssertionError("a wrong password was taken")
    for bound, expected in ((True, None), (False, 401)):
        login = requests_ntlm.HttpNtlmAuth(ARGUMENTS.user, ARGUMENTS.password, send_cbt=bound)
        status = requests.post(ENDPOINT, data="<x/>", auth=login, timeout=30).status_code
        # what is let in is told that it makes no sense
        check((status == 401) == (expected == 401), "a login with or without channel binding", bound, status)
    done("a login that is not bound to its TLS connection is refused")
    status = requests.post(ENDPOINT, data="<x/>", auth=(ARGUMENTS.user, ARGUMENTS.password), timeout=30).status_code
    check(status == 401, "Basic, which is not offered", status)
    done("Basic is refused where it is not offered")


class SimulatedTenant(OAuth2Credentials):
    """The library knows the token service of Microsoft by heart; here it is another one."""

    @property
    def token_url(self):
        return TOKENS

    @property
    def scope(self):
        return ["https://exchange.sim.test/.default"]


def tenant(secret):
    identity = Identity(primary_smtp_address="m0001@sim.test")
    return SimulatedTenant(client_id=ARGUMENTS.user, client_secret=secret, tenant_id="t", identity=identity)


def oauth():
    before = logons()
    owner = account(tenant(ARGUMENTS.password), auth_type="OAuth 2.0", version=Version(EXCHANGE_2016))
    create(owner, 13)
    after = logons()
    check(after["bearer"] > before["bearer"] and after["tokens"] == before["tokens"] + 1, "a token", before, after)
    done("a bearer token by client credentials")
    body = {"grant_type": "client_credentials", "client_id": ARGUMENTS.user, "client_secret": "wrong",
            "scope": "https://exchange.sim.test/.default"}
    answer = requests.post(TOKENS, data=body, timeout=30)
    check((answer.status_code, answer.json()["error"]) == (401, "invalid_client"), "a wrong secret", answer.text)
    guessed = {"Authorization": f"Bearer {secrets.token_hex(32)}"}
    answer = requests.post(ENDPOINT, data="<x/>", headers=guessed, timeout=30)
    check(answer.status_code == 401, "a guessed token", answer.status_code)
    check("invalid_token" in answer.headers["WWW-Authenticate"], "the reason", answer.headers)
    done("a wrong secret and a guessed token are refused")


def main():
    check(BaseProtocol.HTTP_ADAPTER_CLS is not None, "exchangelib as it is used here")
    ntlm()
    ntlm_stream()
    refusals()
    oauth()


main()
