//! Words that several commands use.

texts! {
    MAILBOX = "words.mailbox" { en "MAILBOX" da "POSTKASSE" }
    START = "words.start" { en "START" da "START" }
    END = "words.end" { en "END" da "SLUT" }
    ORIGIN_ID = "words.origin_id" { en "ORIGIN ID" da "ORIGIN ID" }
    STATE = "words.state" { en "STATE" da "TILSTAND" }
    BY = "words.by" { en "BY" da "AF" }

    ONE_APPOINTMENT = "words.one_appointment" { en "{n} appointment" da "{n} aftale" }
    APPOINTMENTS = "words.appointments" { en "{n} appointments" da "{n} aftaler" }
    ONE_MAILBOX = "words.one_mailbox" { en "{n} mailbox" da "{n} postkasse" }
    MAILBOXES = "words.mailboxes" { en "{n} mailboxes" da "{n} postkasser" }
    ONE_RESOURCE = "words.one_resource" { en "{n} resource" da "{n} ressource" }
    RESOURCES = "words.resources" { en "{n} resources" da "{n} ressourcer" }
    FROM_TO = "words.from_to" { en "{start} to {end}" da "{start} til {end}" }
    OF = "words.of" { en "{n} of {all}" da "{n} af {all}" }
    RUN = "words.run" { en "run {run}" da "kørsel {run}" }
    NO_REASON = "words.no_reason" { en "no reason given" da "ingen grund angivet" }

    IN_USE = "words.in_use" { en "in use" da "i brug" }
    NOT_LISTENED = "words.not_listened" {
        en "in use, cannot be listened to: {error}" da "i brug, men der kan ikke lyttes til den: {error}"
    }
    NOT_IN_USE = "words.not_in_use" { en "not in use since {at}: {why}" da "ikke i brug siden {at}: {why}" }

    /// What an appointment waits for.
    HOLD_NOT_IN_USE = "words.hold.not_in_use" {
        en "not sent while the mailbox is not in use" da "sendes ikke, så længe postkassen ikke er i brug"
    }
    HOLD_NOT_ADOPTED = "words.hold.not_adopted" {
        en "the adoption of the mailbox" da "overtagelsen af postkassen"
    }
    HOLD_NOT_READ = "words.hold.not_read" {
        en "the full read of the mailbox" da "den fulde læsning af postkassen"
    }
    HOLD_IN_FLIGHT = "words.hold.in_flight" { en "the answer to a call" da "svaret på et kald" }
    HOLD_PAUSES = "words.hold.pauses" { en "another try at {until}" da "et nyt forsøg {until}" }
    HOLD_DRY_RUN = "words.hold.dry_run" { en "the end of dry_run" da "ophør af dry_run" }
    HOLD_PLANNER_FAILS = "words.hold.planner_fails" {
        en "calls to Planner that work again: the last failed at {at}{why}"
        da "kald til Planner, der lykkes igen: det seneste mislykkedes {at}{why}"
    }
    CALLS_FAIL = "words.calls_fail" { en "calls to Planner fail" da "kald til Planner mislykkes" }
    HOLD_IN_TURN = "words.hold.in_turn" { en "its turn" da "sin tur" }
}
