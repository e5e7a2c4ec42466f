//! The codes of what all stages share: timers, the database, the process as a whole, operators.

use base::event_entry::Reaction::{CorrectConfiguration, InvestigateInExchange};

use super::success::{DATABASE, MAILBOX_HANDLED, SCHEDULE};

codes! {
    PROCESS_TABLE, PROCESS_NAMES;

    INTERVAL_TIMER_FAILED = 7901 ALL Error
        "what an interval timer started failed"
        "det, en intervaltimer startede, mislykkedes"
        SCHEDULES .react(CorrectConfiguration)
        .told_as(&[3906, 4918, 8901],
            "what is looked at in intervals tells its own failure; the interval goes on",
            "det, der ses efter med faste mellemrum, melder selv sin fejl; intervallet fortsætter");
    DAILY_TIMER_FAILED = 7902 ALL Error
        "what a daily timer started failed"
        "det, en daglig timer startede, mislykkedes"
        SCHEDULES .react(CorrectConfiguration) .ends_on(SCHEDULE);
    INTERVAL_TIMER_REARM_FAILED = 7903 ALL Error
        "an interval timer could not be set again"
        "en intervaltimer kunne ikke sættes igen"
        LOG
        .never("setting a timer cannot fail; a part that makes no progress is restarted by its supervisor",
            "at sætte en timer kan ikke fejle; en del uden fremdrift genstartes af sin supervisor");
    DAILY_TIMER_REARM_FAILED = 7904 ALL Error
        "a daily timer could not be set again"
        "en daglig timer kunne ikke sættes igen"
        LOG
        .never("setting a timer cannot fail, and a time that was missed is made up from the database",
            "at sætte en timer kan ikke fejle, og et forsømt tidspunkt indhentes ud fra databasen");
    DATABASE_UNREACHABLE = 8901 ALL Error
        "the database cannot be reached"
        "databasen kan ikke nås"
        DATABASE .ends_on(DATABASE);

    // 93xx
    SERVICE_ENDED = 9301 ALL Error
        "the service ends because of an error"
        "tjenesten slutter på grund af en fejl"
        START .critical();
    PANICKED = 9302 ALL Error
        "a part of the program panicked, it is restarted"
        "en del af programmet brød sammen; den genstartes"
        LOG;
    WINDOW_ITEMS_UNREADABLE = 9303 ALL Error
        "some appointments of a calendar cannot be read, what is known of them is left as it is"
        "nogle aftaler i en kalender kan ikke læses; det, der vides om dem, bliver stående"
        APPOINTMENT .react(InvestigateInExchange) .per("mailbox") .ends_on(MAILBOX_HANDLED);
    PRIVATE_ITEMS_HIDDEN = 9304 ALL Warning
        "the service account may not see the private appointments of a mailbox, they may be missing in Planner"
        "servicekontoen må ikke se en postkasses private aftaler; de kan mangle i Planner"
        PRIVATE .react(InvestigateInExchange) .per("mailbox");
    SCHEMA_AWAITED = 9310 ALL Warning
        "the schema lacks migrations that this process may not apply, it waits for them"
        "databaseskemaet mangler migreringer, som denne proces ikke må udføre; den venter på dem"
        MIGRATION;

    // 901x: many instances
    SHARDS_DIFFER = 9010 EPS Warning
        "qualifier.shards is another number than the instances that run have agreed on, theirs is used; to change it stop all that qualify, set it for all, and start them"
        "qualifier.shards er et andet tal, end de kørende instanser er enige om; deres tal bruges. For at ændre det: stop alle, der kvalificerer, sæt tallet for dem alle, og start dem"
        INSTANCES .react(CorrectConfiguration);
    LEASE_LOST = 9011 ALL Warning
        "another instance took what this one owned, it stops and competes anew"
        "en anden instans overtog det, denne ejede; den stopper og konkurrerer på ny"
        INSTANCES .quiet();
    CLOCK_DIFFERS = 9013 ALL Warning
        "the clock of this machine differs from the database's, which counts for all instances"
        "uret på denne maskine afviger fra databasens, som gælder for alle instanser"
        INSTANCES;
    ACCOUNT_SLOT_AWAITED = 9014 ELS Information
        "an affinity group waits until its service account has room, another one is still being ended"
        "en affinitetsgruppe venter på, at dens servicekonto får plads; en anden er ved at blive afsluttet"
        NOTHING;
    POOL_SILENT = 9015 ALL Error
        "this instance renews its leases and cannot use its other connections to the database: it ends, so that others take over"
        "denne instans fornyer sine leases, men kan ikke bruge sine andre forbindelser til databasen; den slutter, så andre kan overtage"
        DATABASE .critical();
    CALLS_LEFT = 9016 PCS Warning
        "calls to Planner were left unanswered at the end of the service, their appointments are sent again after their deadline"
        "kald til Planner blev forladt uden svar, da tjenesten sluttede; deres aftaler sendes igen efter deres frist"
        NOTHING .quiet();
    MIGRATION_AWAITED = 9017 ALL Warning
        "another process holds the lock of the migrations, it is waited for"
        "en anden proces holder migreringernes lås; der ventes på den"
        MIGRATION;
    SHARE_CHANGED = 9012 ALL Information
        "instances came or went, the share of this one changed"
        "instanser kom til eller faldt fra; denne instans' andel blev ændret"
        NOTHING;

    // 95xx
    OPERATOR_ACTED = 9503 ALL Information
        "an operator changed a list or a service account, sealed passwords anew, settled a withheld run or retried what was set aside"
        "en operatør ændrede en liste eller en servicekonto, forseglede adgangskoder på ny, afgjorde en tilbageholdelse eller forsøgte igen med noget, der var lagt til side"
        OPERATIONS;
    ADMIN_CALL_REFUSED = 9510 ALL Warning
        "an admin call over HTTP without the right token was refused"
        "et administrationskald over HTTP uden den rigtige nøgle blev afvist"
        ADMIN_CALLS;
}
