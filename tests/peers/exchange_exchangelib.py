#!/usr/bin/env python3
"""exchangelib against the Exchange simulator (or any Exchange): does an independent client accept it?

Usage: exchange_exchangelib.py URL USER PASSWORD [MAILBOX]
  URL      the server, e.g. http://127.0.0.1:8080 (the EWS endpoint is found below it)
  MAILBOX  a mailbox that may be written to and EMPTIED; default m0001@sim.test

Goes through what a client does: discovery of the version, folders, a calendar view with a series that
has a moved and a deleted occurrence, create, update, delete, SyncFolderItems, and a notification on an
open stream for each of create, update and delete. Every value is asserted; the first difference ends
the script with exit code 1.
"""
import argparse
import datetime
import queue
import sys
import threading
import warnings

import exchangelib
from exchangelib import (
    DELEGATE,
    IMPERSONATION,
    Account,
    CalendarItem,
    Configuration,
    Credentials,
    EWSDate,
    EWSDateTime,
    EWSTimeZone,
)
from exchangelib.errors import (
    ErrorInvalidSyncStateData,
    ErrorImpersonateUserDenied,
    ErrorItemNotFound,
    ErrorNonExistentMailbox,
    ErrorSubscriptionNotFound,
    UnauthorizedError,
)
from exchangelib.properties import CreatedEvent, DeletedEvent, ModifiedEvent, MovedEvent, StatusEvent
from exchangelib.protocol import BaseProtocol, FailFast
from exchangelib.recurrence import Recurrence, WeeklyPattern
from exchangelib.version import EXCHANGE_2016

WAIT_SECONDS = 30
ZONE = EWSTimeZone("Europe/Copenhagen")


def check(condition, what, *details):
    """One assertion that says what it is about."""
    if not condition:
        raise AssertionError(f"{what}: {details}")


def same(actual, expected, what):
    check(actual == expected, what, "is", actual, "expected", expected)


def done(what):
    print(f"ok  {what}", flush=True)


def local(*parts):
    return EWSDateTime(*parts, tzinfo=ZONE)


class Server:
    def __init__(self, arguments):
        self.endpoint = arguments.url.rstrip("/") + "/EWS/Exchange.asmx"
        self.arguments = arguments

    def account(self, address, password=None, access=IMPERSONATION):
        credentials = Credentials(self.arguments.user, password or self.arguments.password)
        # A stream takes a connection for itself; exchangelib's default is one in all.
        config = Configuration(
            service_endpoint=self.endpoint, credentials=credentials, retry_policy=FailFast(), max_connections=4
        )
        return Account(
            primary_smtp_address=address,
            config=config,
            autodiscover=False,
            access_type=access,
            default_timezone=ZONE,
        )


def discovery(server, account):
    # No version and no authentication type were given: both are found on the wire.
    version = account.version
    check(version.build >= EXCHANGE_2016, "version", version)
    same(account.calendar.name, "Calendar", "name of the calendar")
    same(account.calendar.folder_class, "IPF.Appointment", "class of the calendar")
    check(account.calendar.effective_rights.read, "rights on the calendar", account.calendar.effective_rights)
    for address, password, error in (
        ("nobody@sim.test", None, ErrorNonExistentMailbox),
        (account.primary_smtp_address, "wrong", UnauthorizedError),
    ):
        try:
            server.account(address, password).calendar.name
        except error:
            continue
        except ErrorImpersonateUserDenied:
            continue
        raise AssertionError(f"{address} with {password}: no error")
    done(f"discovery: {version}")


def empty(account):
    """What an earlier run left behind."""
    left = [item for kind, item in account.calendar.sync_items() if kind == "create"]
    account.calendar.item_sync_state = None
    for item in left:
        item.delete()


def single(account):
    item = CalendarItem(
        account=account,
        folder=account.calendar,
        subject="Review",
        body="agenda",
        location="Room 3",
        categories=["Blue category", "Own"],
        start=local(2026, 9, 14, 9, 0),
        end=local(2026, 9, 14, 10, 30),
        uid="PEER-UID-single-Aa",
        legacy_free_busy_status="Tentative",
        sensitivity="Private",
        reminder_minutes_before_start=5,
    )
    item.save()
    check(item.id and item.changekey, "ids after save", item)
    found = account.calendar.get(id=item.id, changekey=item.changekey)
    for name, expected in (
        ("subject", "Review"),
        ("location", "Room 3"),
        ("categories", ["Blue category", "Own"]),
        ("start", local(2026, 9, 14, 9, 0)),
        ("end", local(2026, 9, 14, 10, 30)),
        ("uid", "PEER-UID-single-Aa"),
        ("legacy_free_busy_status", "Tentative"),
        ("sensitivity", "Private"),
        ("type", "Single"),
        ("is_all_day", False),
        ("is_cancelled", False),
        ("reminder_minutes_before_start", 5),
        ("recurrence_id", None),
    ):
        same(getattr(found, name), expected, name)
    check("agenda" in found.body, "body", found.body)
    same(found._start_timezone, ZONE, "zone of the start")
    check(found.last_modified_time is not None, "last modified", found.last_modified_time)

    changekey = found.changekey
    found.start, found.end = local(2026, 9, 15, 13, 0), local(2026, 9, 15, 14, 0)
    found.legacy_free_busy_status = "OOF"
    found.location = None
    found.save(update_fields=["start", "end", "legacy_free_busy_status", "location"])
    again = account.calendar.get(id=item.id)
    same(again.start, local(2026, 9, 15, 13, 0), "start after update")
    same(again.end, local(2026, 9, 15, 14, 0), "end after update")
    same(again.legacy_free_busy_status, "OOF", "status after update")
    same(again.location, None, "place after deletion of the field")
    same(again.subject, "Review", "subject is as it was")
    check(again.changekey != changekey, "change key after update", again.changekey)

    again.delete()
    for read in (lambda: account.calendar.get(id=item.id),):
        try:
            read()
        except ErrorItemNotFound:
            continue
        raise AssertionError("a deleted item can be read")
    done("create, get, update, delete of a single appointment")


def all_day(account):
    item = CalendarItem(
        account=account,
        folder=account.calendar,
        subject="Holiday",
        start=EWSDate(2026, 10, 24),
        end=EWSDate(2026, 10, 25),
        is_all_day=True,
    )
    item.save()
    found = account.calendar.get(id=item.id)
    same((found.start, found.end), (EWSDate(2026, 10, 24), EWSDate(2026, 10, 25)), "dates of an all-day item")
    check(found.uid, "a UID is made", found.uid)
    found.delete()
    done("all-day appointment over the change to winter time")


def series(account):
    """Weekly on Monday and Wednesday at nine, eight times, over the end of summer time; the second
    occurrence is moved, the third deleted."""
    start = local(2026, 10, 12, 9, 0)
    master = CalendarItem(
        account=account,
        folder=account.calendar,
        subject="Team",
        start=start,
        end=start + datetime.timedelta(minutes=45),
        uid="PEER-UID-series",
        recurrence=Recurrence(
            pattern=WeeklyPattern(interval=1, weekdays=["Monday", "Wednesday"], first_day_of_week=1),
            start=start.date(),
            number=8,
        ),
    )
    master.save()
    second = master.occurrence(index=2)
    second.refresh()
    same(second.start, local(2026, 10, 14, 9, 0), "second occurrence by its index")
    same(second.type, "Occurrence", "its type")
    second.start, second.end = local(2026, 10, 15, 11, 0), local(2026, 10, 15, 12, 0)
    second.save(update_fields=["start", "end"])
    master.occurrence(index=3).delete()

    found = list(account.calendar.view(start=local(2026, 10, 1, 0, 0), end=local(2026, 11, 30, 0, 0)))
    expected = [
        ((2026, 10, 12, 9, 0), "Occurrence", (2026, 10, 12, 9, 0)),
        ((2026, 10, 15, 11, 0), "Exception", (2026, 10, 14, 9, 0)),
        ((2026, 10, 21, 9, 0), "Occurrence", (2026, 10, 21, 9, 0)),
        ((2026, 10, 26, 9, 0), "Occurrence", (2026, 10, 26, 9, 0)),
        ((2026, 10, 28, 9, 0), "Occurrence", (2026, 10, 28, 9, 0)),
        ((2026, 11, 2, 9, 0), "Occurrence", (2026, 11, 2, 9, 0)),
        ((2026, 11, 4, 9, 0), "Occurrence", (2026, 11, 4, 9, 0)),
    ]
    actual = [(item.start, item.type, item.recurrence_id) for item in found]
    same(actual, [(local(*at), kind, local(*original)) for at, kind, original in expected], "view of the series")
    same({item.uid for item in found}, {"PEER-UID-series"}, "UID of every occurrence")
    same(len({item.id for item in found}), 7, "ids of the occurrences differ")
    # The 26th is in winter time, an hour later in UTC.
    utc = [item.start.astimezone(EWSTimeZone("UTC")).hour for item in found if item.type == "Occurrence"]
    same(utc, [7, 7, 8, 8, 8, 8], "hours in UTC")

    top = found[2].recurring_master()
    top.refresh()
    same((top.id, top.type), (master.id, "RecurringMaster"), "master of an occurrence")
    same(len(top.modified_occurrences), 1, "modified occurrences")
    same(top.modified_occurrences[0].original_start, local(2026, 10, 14, 9, 0), "original start of the exception")
    same([o.start for o in top.deleted_occurrences], [local(2026, 10, 19, 9, 0)], "deleted occurrences")
    same(top.first_occurrence.start, local(2026, 10, 12, 9, 0), "first occurrence")
    same(top.last_occurrence.start, local(2026, 11, 4, 9, 0), "last occurrence")
    same(top.recurrence.pattern.weekdays, [1, 3], "pattern")
    same(top.recurrence.boundary.number, 8, "number of occurrences")
    gone = master.occurrence(index=3)
    try:
        gone.refresh()
    except exchangelib.errors.ErrorCalendarOccurrenceIsDeletedFromRecurrence:
        pass
    else:
        raise AssertionError("a deleted occurrence can be read")
    top.delete()
    same(list(account.calendar.view(start=local(2026, 10, 1, 0, 0), end=local(2026, 11, 30, 0, 0))), [], "empty view")
    done("series with a moved and a deleted occurrence")


def sync(account):
    same(list(account.calendar.sync_items()), [], "first sync of an empty calendar")
    state = account.calendar.item_sync_state
    check(state, "sync state", state)
    items = [
        CalendarItem(
            account=account,
            folder=account.calendar,
            subject=f"Item {number}",
            start=local(2026, 9, number, 9, 0),
            end=local(2026, 9, number, 10, 0),
        )
        for number in range(1, 6)
    ]
    for item in items:
        item.save()
    changes = list(account.calendar.sync_items(max_changes_returned=2))
    same([kind for kind, _ in changes], ["create"] * 5, "kinds of changes, over several pages")
    same([item.subject for _, item in changes], [f"Item {n}" for n in (5, 4, 3, 2, 1)], "newest first")
    items[1].subject = "Changed"
    items[1].save(update_fields=["subject"])
    deleted = items[3].id
    items[3].delete()
    changes = list(account.calendar.sync_items())
    same([kind for kind, _ in changes], ["delete", "update"], "changes since")
    same(changes[0][1].id, deleted, "id of the deleted item")
    same(changes[1][1].id, items[1].id, "id of the changed item")
    same(list(account.calendar.sync_items()), [], "nothing more")
    account.calendar.item_sync_state = "AAAA"
    try:
        list(account.calendar.sync_items())
    except ErrorInvalidSyncStateData:
        pass
    else:
        raise AssertionError("a sync state of nobody's is accepted")
    account.calendar.item_sync_state = None
    for item in (items[0], items[1], items[2], items[4]):
        item.delete()
    done("SyncFolderItems")


class Listener(threading.Thread):
    """Reads one stream on a connection of its own; exchangelib's accounts are not for two threads."""

    def __init__(self, account, subscription):
        super().__init__(daemon=True)
        self.account, self.subscription = account, subscription
        self.events, self.failure = queue.Queue(), None

    def run(self):
        try:
            for notification in self.account.calendar.get_streaming_events(self.subscription, connection_timeout=1):
                same(notification.subscription_id, self.subscription, "subscription of a notification")
                for event in notification.events:
                    if not isinstance(event, StatusEvent):
                        self.events.put(event)
        except Exception as failure:  # told by whoever waits
            self.failure = failure

    def wait_for(self, kind, item_id, also=lambda event: True):
        seen = []
        while True:
            try:
                event = self.events.get(timeout=WAIT_SECONDS)
            except queue.Empty:
                raise AssertionError(f"no {kind.__name__} for the item; seen {seen}; {self.failure!r}") from None
            seen.append(type(event).__name__)
            ids = [i.id for i in (event.item_id, getattr(event, "old_item_id", None)) if i]
            if isinstance(event, kind) and item_id in ids and also(event):
                return event


def streaming(server, account, address):
    subscription = account.calendar.subscribe_to_streaming()
    check(subscription, "subscription", subscription)
    listener = Listener(server.account(address), subscription)
    # The affinity cookie belongs to the subscription; a client that shares a group's stream shares it.
    listener.account.affinity_cookie = account.affinity_cookie
    listener.start()
    item = CalendarItem(
        account=account,
        folder=account.calendar,
        subject="Live",
        start=local(2026, 9, 7, 9, 0),
        end=local(2026, 9, 7, 10, 0),
    )
    item.save()
    created = listener.wait_for(CreatedEvent, item.id)
    same(created.parent_folder_id.id, account.calendar.id, "folder of the event")
    item.start = local(2026, 9, 7, 9, 30)
    item.save(update_fields=["start"])
    listener.wait_for(ModifiedEvent, item.id)
    item.move_to_trash()
    second = CalendarItem(
        account=account,
        folder=account.calendar,
        subject="Live too",
        start=local(2026, 9, 8, 9, 0),
        end=local(2026, 9, 8, 10, 0),
    )
    old_id = created.item_id.id
    moved = listener.wait_for(MovedEvent, old_id)
    same(moved.old_item_id.id, old_id, "old id of the moved item")
    check(moved.item_id.id != old_id, "a moved item has a new id", moved.item_id)
    same(moved.parent_folder_id.id, account.trash.id, "it is in Deleted Items")
    second.save()
    second_id = second.id
    listener.wait_for(CreatedEvent, second_id)
    second.delete()
    listener.wait_for(DeletedEvent, second_id)
    # A subscription that ends is told on its stream, which ends with it.
    account.calendar.unsubscribe(subscription)
    listener.join(WAIT_SECONDS)
    check(not listener.is_alive(), "the stream ends with its subscription")
    check(listener.failure is not None, "the stream says why it ends")
    for unknown in (subscription, "bm8gc3Vic2NyaXB0aW9u"):
        try:
            list(account.calendar.get_streaming_events(unknown, connection_timeout=1))
        except ErrorSubscriptionNotFound:
            continue
        raise AssertionError("an unknown subscription has a stream")
    done("streaming notifications of create, update, move to trash and delete")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("user")
    parser.add_argument("password")
    parser.add_argument("mailbox", nargs="?", default="m0001@sim.test")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    BaseProtocol.TIMEOUT = WAIT_SECONDS
    server = Server(arguments)
    print(f"exchangelib {exchangelib.__version__}")
    for access in (IMPERSONATION, DELEGATE):
        account = server.account(arguments.mailbox, access=access)
        print(f"access: {access}")
        discovery(server, account)
        empty(account)
        single(account)
        all_day(account)
        series(account)
        sync(account)
        streaming(server, account, arguments.mailbox)
    print("exchangelib accepts the server")


if __name__ == "__main__":
    try:
        main()
    except Exception as error:
        import traceback

        traceback.print_exc()
        print(f"FAILED: {error}", file=sys.stderr)
        sys.exit(1)
