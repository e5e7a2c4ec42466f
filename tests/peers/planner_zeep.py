#!/usr/bin/env python3
"""An independent SOAP client (zeep) against the Planner simulator's own description.

usage: planner_zeep.py WSDL-URL [JOBCENTER]

WSDL-URL is `http://…/PjakTassWCFtService/1/PlannerExternalCalendarService.svc?wsdl` of a simulator whose
resources m0001@sim.test and m0002@sim.test hold no appointment. Does all five operations with both headers,
asserts the values that come back, and asserts the faults of calls with wrong headers. Exits 1 on the first
thing that is not as it should be.
"""

import datetime
import sys
import traceback
import uuid

import zeep
from zeep.exceptions import Fault

ACTIVE = "http://rep.oio.dk/ams.dk/xml/schemas/2005/09/01/"
META = "http://service.bm.dk/RequestUserMetadata/2015/01/21/"
FAULT = "http://service.bm.dk/xml/schemas/2011/01/12/"
ONE, TWO = "m0001@sim.test", "m0002@sim.test"
CET = datetime.timezone(datetime.timedelta(hours=1))


class Planner:
    """The five operations with the headers of a job centre."""

    def __init__(self, wsdl: str, jobcenter: str):
        self.client = zeep.Client(wsdl)
        self.jobcenter = jobcenter

    def headers(self, operation: str, jobcenter: str | None = None) -> list:
        number = jobcenter or self.jobcenter
        active = self.client.get_element(f"{{{ACTIVE}}}ActiveOrganisationHeader")
        meta = self.client.get_element(f"{{{META}}}RequestUserMetadataHeader")
        return [
            active(OrganisationTypeIdentifier=8, OrganisationCode=number),
            meta(
                RequestUserStructure={
                    "UserFullName": f"zeep : {operation}",
                    "RequestUserTypeIdentifier": {"CodeListItemIdentifier": 3},
                    "UserIdentifier": "CVR:12345678-FID:1234567890",
                },
                RequestOrganisationStructure={
                    "OrganisationTypeIdentifier": {"CodeListItemIdentifier": 8},
                    "OrganisationCode": number,
                },
                RegistrationDateTime=datetime.datetime(2031, 3, 1, 12, 0, tzinfo=CET),
            ),
        ]

    def call(self, operation: str, **arguments):
        method = getattr(self.client.service, operation)
        return method(**arguments, _soapheaders=self.headers(operation))

    def change(self, operation: str, events: list) -> list:
        """The receipts' (origin id, code), after checking what every answer to a change has."""
        answer = self.call(operation, CalendarEvent=events)
        uuid.UUID(answer.ServiceRequestLogReferenceIdentifier)
        for receipt in answer.CalendarEventReceipt:
            uuid.UUID(receipt.CalendarEventIdentifier)
            assert receipt.EventReceivalTime.tzinfo is not None, "a receival time has an offset"
            assert receipt.ConflictNotificationSent is False
        return [(r.OriginSystemIdentifier, r.EventErrorCode.CodeListItemIdentifier) for r in answer.CalendarEventReceipt]

    def events(self, *mails: str, start=None, end=None) -> list:
        resources = [
            {"CalendarResourceName": "", "RID": mail[:64], "CalendarResourceEmailAddress": mail, "IsCaseWorker": False}
            for mail in mails
        ]
        answer = self.call(
            "GetEvents", CalendarResource=resources, EventStartFromDateTime=start, EventStartToDateTime=end
        )
        uuid.UUID(answer.ServiceRequestLogReferenceIdentifier)
        return [
            (e.OriginEmailAddress, e.OriginSystemIdentifier, e.CalendarEventStartTime, e.CalendarEventEndTime)
            for e in answer.CalendarEvent
        ]


def at(day: int, hour: int) -> datetime.datetime:
    return datetime.datetime(2031, 3, day, hour, 0, tzinfo=CET)


def event(mail: str, origin: str, start: datetime.datetime, hours: int = 1) -> dict:
    return {
        "CalendarEventStartTime": start,
        "CalendarEventEndTime": start + datetime.timedelta(hours=hours),
        "OriginSystemIdentifier": origin,
        "OriginEmailAddress": mail,
    }


def equal(found, expected, what: str) -> None:
    assert found == expected, f"{what}: found {found!r}, expected {expected!r}"


def resources(planner: Planner) -> None:
    everyone = planner.call("GetResources").CalendarResource
    addresses = [resource.CalendarResourceEmailAddress for resource in everyone]
    assert ONE in addresses and TWO in addresses, addresses
    chosen = planner.call("GetResources", EmailAddressIdentifier=[TWO]).CalendarResource
    equal([(r.CalendarResourceEmailAddress, r.IsCaseWorker) for r in chosen], [(TWO, True)], "one resource")


def changes(planner: Planner) -> None:
    single, occurrence = "040000008200E00074C5B7101A82E008ÆØÅ<&>", "0400AA$20310304-090000"
    both = [event(ONE, single, at(4, 9)), event(ONE, occurrence, at(5, 9))]
    equal(planner.change("CreateEvents", both), [(single, 0), (occurrence, 0)], "create")
    equal(planner.change("CreateEvents", both[:1]), [(single, 8)], "create of what is there")
    moved = event(ONE, single, at(6, 13), hours=2)
    missing = event(ONE, "missing", at(6, 13))
    equal(planner.change("UpdateEvents", [moved, missing]), [(single, 0), ("missing", 10)], "update")
    equal(planner.change("DeleteEvents", [missing]), [("missing", 10)], "delete of what is not there")
    equal(planner.change("CreateEvents", [event("nobody@sim.test", "x", at(4, 9))]), [("x", 3)], "unknown mailbox")
    rows = [(ONE, occurrence, at(5, 9), at(5, 10)), (ONE, single, at(6, 13), at(6, 15))]
    equal(sorted(planner.events(ONE, TWO)), sorted(rows), "all appointments")
    equal(planner.events(ONE, start=at(5, 9), end=at(5, 9)), rows[:1], "appointments by their start")
    equal(planner.events(ONE, start=at(6, 14)), [], "the end does not count")
    equal(planner.events(TWO), [], "another mailbox")
    equal(planner.change("DeleteEvents", both), [(single, 0), (occurrence, 0)], "delete")
    equal(planner.events(ONE), [], "nothing is left")


def refusals(planner: Planner) -> None:
    service = planner.client.service
    for headers, number in [
        ([], 1001),
        (planner.headers("GetResources")[1:], 1001),
        (planner.headers("GetResources", "99999"), 1002),
        (planner.headers("GetResources")[:1], 1003),
    ]:
        try:
            service.GetResources(_soapheaders=headers)
        except Fault as fault:
            code = fault.detail.find(f"{{{FAULT}}}FaultDetails/{{{FAULT}}}ErrorCode")
            equal(code is not None and int(code.text), number, "the fault's number")
        else:
            raise AssertionError(f"a call with wrong headers was answered, {number} was expected")


def main() -> int:
    if not 2 <= len(sys.argv) <= 3:
        print(__doc__, file=sys.stderr)
        return 2
    planner = Planner(sys.argv[1], sys.argv[2] if len(sys.argv) == 3 else "10100")
    for check in (resources, changes, refusals):
        try:
            check(planner)
        except Exception:  # noqa: BLE001 - whatever it is, the peer is not content
            traceback.print_exc()
            print(f"planner_zeep: {check.__name__} failed", file=sys.stderr)
            return 1
        print(f"planner_zeep: {check.__name__} ok")
    return 0


if __name__ == "__main__":
    sys.exit(main())
