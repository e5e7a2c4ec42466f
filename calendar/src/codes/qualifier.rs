//! The codes of the qualifier (EPS): reading appointments, deciding about them, the full pull.

use base::event_entry::Reaction::{Decide, InvestigateInExchange, SeeOther};

use super::success::{MAILBOX_HANDLED, SHARD};

codes! {
    QUALIFIER_TABLE, QUALIFIER_NAMES;

    QUALIFIER_UNKNOWN_ERROR = 2901 EPS Error
        "something unforeseen failed while qualifying"
        "noget uforudset gik galt under vurderingen"
        LOG .per("mailbox") .ends_on(MAILBOX_HANDLED);
    QUALIFIER_CANNOT_START = 2902 EPS Error
        "the qualifier cannot start"
        "vurderingen kan ikke starte"
        START .critical() .per("shard") .ends_on(SHARD);
    ITEM_FETCH_FAILED = 2903 EPS Error
        "an appointment could not be fetched from Exchange"
        "en aftale kunne ikke hentes fra Exchange"
        MAILBOX .react(InvestigateInExchange) .per("mailbox") .ends_on(MAILBOX_HANDLED);
    NOTIFICATION_FAILED = 2905 EPS Error
        "a notification could not be handled"
        "en notifikation kunne ikke behandles"
        KEY .in_a_day(3);
    DECISION_FAILED = 2906 EPS Error
        "it could not be decided in time whether Planner must be told"
        "det kunne ikke i tide afgøres, om Planner skal have besked"
        KEY .in_a_day(3);
    EXCHANGE_CONNECTION_FAILED = 2907 EPS Error
        "a calendar cannot be read: no connection to Exchange, or it answers wrongly"
        "en kalender kan ikke læses: ingen forbindelse til Exchange, eller den svarer forkert"
        EXCHANGE .per("mailbox") .ends_on(MAILBOX_HANDLED);
    NOTIFICATION_REMOVAL_FAILED = 2908 EPS Error
        "a handled notification could not be removed"
        "en behandlet notifikation kunne ikke fjernes"
        DATABASE
        .told_as(&[2952, 8901],
            "a notification is moved to the log in the same transaction in which its decision is stored",
            "en notifikation flyttes til loggen i samme transaktion, som gemmer beslutningen");
    NOTIFICATION_WITHOUT_MAILBOX = 2909 EPS Error
        "a notification belongs to no known mailbox"
        "en notifikation hører ikke til nogen kendt postkasse"
        RESOURCES .in_a_day(3) .per("mailbox") .ends_on(MAILBOX_HANDLED);
    MAILBOX_UNREACHABLE = 2951 EPS Error
        "a mailbox cannot be reached"
        "en postkasse kan ikke nås"
        MAILBOX .in_a_day(3) .per("mailbox") .ends_on(MAILBOX_HANDLED);
    DECISION_STORE_FAILED = 2952 EPS Error
        "a decision about an appointment could not be stored"
        "en beslutning om en aftale kunne ikke gemmes"
        DATABASE .per("mailbox") .ends_on(MAILBOX_HANDLED);
    ABSENCE_STORE_FAILED = 2953 EPS Error
        "the decision that an appointment is absent could not be stored"
        "beslutningen om, at en aftale ikke findes, kunne ikke gemmes"
        DATABASE .per("mailbox") .ends_on(MAILBOX_HANDLED);
    SERIES_READ_FAILED = 2954 EPS Error
        "the occurrences of a series could not be read"
        "forekomsterne i en serie kunne ikke læses"
        APPOINTMENT .in_a_day(3) .per("mailbox") .ends_on(MAILBOX_HANDLED);
    COMMAND_UNKNOWN = 2956 EPS Error
        "an operator's command is not known"
        "en driftskommando er ukendt"
        OPERATIONS .quiet();
    COMMAND_FAILED = 2957 EPS Error
        "an operator's command failed"
        "en driftskommando mislykkedes"
        OPERATIONS .quiet() .react(SeeOther);

    // 91xx: situations that the original did not have
    NOTIFICATION_SET_ASIDE = 9101 EPS Error
        "a notification kept failing by itself and was set aside"
        "en notifikation blev ved med at fejle af sig selv og er lagt til side"
        ASIDE .is_a_state();
    READING_STALE = 9102 EPS Information
        "a reading was older than the stored decision and was discarded"
        "en læsning var ældre end den gemte beslutning og blev kasseret"
        NOTHING;
    ITEM_NOT_REPRESENTABLE = 9103 EPS Error
        "an appointment has an identifier that cannot be stored or sent"
        "en aftale har en identifikation, der ikke kan gemmes eller sendes"
        APPOINTMENT .per("mailbox");
    FULL_READ_SKIPPED = 9104 EPS Warning
        "a mailbox could not be read in full and was skipped for now"
        "en postkasse kunne ikke læses fuldt ud og er sprunget over indtil videre"
        MAILBOX .per("mailbox") .ends_on(MAILBOX_HANDLED);
    SETTINGS_CHANGED = 9105 EPS Information
        "zone, months or busy statuses changed, everything is decided anew"
        "tidszone, antal måneder eller optaget-statusser er ændret; alt besluttes på ny"
        NOTHING;
    DELETES_WITHHELD = 9106 EPS Error
        "a full read lacks so many appointments that their deletions are withheld until an operator confirms or rejects them (kommuneklient withheld)"
        "en fuld læsning mangler så mange aftaler, at sletningerne er tilbageholdt, til en operatør bekræfter eller afviser dem (kommuneklient withheld)"
        WITHHELD .react(Decide) .is_a_state();
    WITHHELD_SEEN_AGAIN = 9107 EPS Information
        "appointments whose deletion was withheld or rejected stand in the calendar again"
        "aftaler, hvis sletning var tilbageholdt eller afvist, står i kalenderen igen"
        WITHHELD;
    FULL_PULL_BEGAN = 9108 EPS Information
        "a full pull began: by its schedule, or made up because it was missed"
        "en fuld læsning af alle kalendere begyndte: efter tidsplanen, eller fordi den var forsømt"
        NOTHING;
    ZONE_UNKNOWN = 9120 EPS Warning
        "an all-day appointment names a time zone that is not known, the configured zone is used"
        "en heldagsaftale angiver en ukendt tidszone; den konfigurerede tidszone bruges"
        APPOINTMENT .quiet();
}
