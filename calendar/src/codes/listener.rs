//! The codes of the listener (ELS): finding mailboxes, their groups, subscriptions and streams.

use base::event_entry::Reaction::{CorrectConfiguration, InvestigateInExchange};

use super::success::{
    COVERAGE, DATABASE, GROUP_WELL, LISTENER_ROUND, MAILBOX_HEARD, NOTIFICATIONS_STORED, STREAM_OPEN,
};

codes! {
    LISTENER_TABLE, LISTENER_NAMES;

    LISTENER_CANNOT_START = 1901 ELS Error
        "the listener cannot start"
        "lytteren kan ikke starte"
        START .critical();
    LISTENER_SETUP_FAILED = 1902 ELS Error
        "the listener cannot be set up"
        "lytteren kan ikke sættes op"
        START;

    NO_ACTIVE_MAILBOXES = 4200 ELS Warning
        "there is no active mailbox to listen to"
        "der er ingen aktiv postkasse at lytte til"
        RESOURCES .quiet();
    NO_SUBSCRIPTIONS = 4201 ELS Warning
        "not one subscription could be made"
        "der kunne ikke oprettes et eneste abonnement"
        MAILBOX
        .told_as(&[4926],
            "each group tells it for itself",
            "hver gruppe melder det for sig selv");
    SUBSCRIBING_FAILED = 4202 ELS Warning
        "some mailboxes could not be subscribed to"
        "der kunne ikke abonneres på nogle af postkasserne"
        MAILBOX
        .told_as(&[4906, 4915, 4916, 4922],
            "each mailbox is told by itself, with what is wrong with it",
            "hver postkasse meldes for sig selv med det, der er galt med den");
    SUBSCRIPTION_EXISTS = 4203 ELS Warning
        "a subscription that exists was to be made again"
        "et abonnement, der findes, skulle oprettes igen"
        NOTHING .quiet()
        .never("a mailbox has one actor and one subscription; a new one replaces the old one",
            "en postkasse har én aktør og ét abonnement; et nyt erstatter det gamle");
    SUBSCRIPTION_ALREADY_STOPPED = 4204 ELS Warning
        "a subscription that had ended was to be ended again"
        "et abonnement, der var afsluttet, skulle afsluttes igen"
        NOTHING .quiet();
    EVENT_TYPE_UNKNOWN = 4205 ELS Warning
        "a notification of an unknown type arrived"
        "der kom en notifikation af ukendt type"
        LOG
        .never("every notification of a mailbox is a hint, whatever its type: the mailbox is read",
            "enhver notifikation er et hint, uanset type: postkassen bliver læst");
    DISPOSAL_FAILED = 4206 ELS Warning
        "something could not be cleaned up"
        "noget kunne ikke ryddes op"
        NOTHING .quiet()
        .never("what a value holds is freed when it goes out of use, which cannot fail",
            "det, en værdi holder på, frigives, når den går ud af brug, og det kan ikke fejle");

    LISTENER_UNKNOWN_ERROR = 4901 ELS Error
        "something unforeseen failed while listening"
        "noget uforudset gik galt under lytningen"
        LOG .ends_on(LISTENER_ROUND);
    STREAMING_START_FAILED = 4902 ELS Error
        "streaming could not be started"
        "strømmene kunne ikke startes"
        LOG .critical() .ends_on(LISTENER_ROUND);
    STREAMING_STOP_FAILED = 4903 ELS Error
        "streaming could not be stopped in order"
        "strømmene kunne ikke stoppes ordentligt"
        NOTHING .quiet();
    STREAMING_STATUS_FAILED = 4904 ELS Error
        "it could not be told whether streaming runs"
        "det kunne ikke afgøres, om strømmene kører"
        LOG
        .never("the state of every part is kept in the process and shown by /health/ready",
            "hver dels tilstand holdes i processen og vises af /health/ready");
    SUBSCRIBER_ADD_FAILED = 4905 ELS Error
        "a mailbox could not be added to those listened to"
        "en postkasse kunne ikke føjes til dem, der lyttes til"
        LOG .per("mailbox") .ends_on(MAILBOX_HEARD);
    GROUP_MAILBOX_FAILED = 4906 ELS Error
        "a mailbox of a group cannot be found or opened in Exchange"
        "en postkasse i en gruppe kan ikke findes eller åbnes i Exchange"
        MAILBOX .per("mailbox") .ends_on(MAILBOX_HEARD);
    STREAM_CLOSE_FAILED = 4907 ELS Error
        "a stream could not be closed"
        "en strøm kunne ikke lukkes"
        NOTHING .quiet()
        .never("a stream is closed by dropping its connection, which cannot fail",
            "en strøm lukkes ved at slippe forbindelsen, og det kan ikke fejle");
    STREAM_OPEN_FAILED = 4908 ELS Error
        "a stream could not be opened"
        "en strøm kunne ikke åbnes"
        EXCHANGE .critical() .per("group") .ends_on(STREAM_OPEN);
    STREAM_DISCONNECT_FAILED = 4909 ELS Error
        "a stream could not be disconnected"
        "en strøm kunne ikke afbrydes"
        NOTHING .quiet()
        .never("a stream is closed by dropping its connection, which cannot fail",
            "en strøm lukkes ved at slippe forbindelsen, og det kan ikke fejle");
    NOTIFICATION_STORE_FAILED = 4910 ELS Error
        "notifications could not be written to the database"
        "notifikationer kunne ikke skrives til databasen"
        DATABASE .ends_on(NOTIFICATIONS_STORED);
    STREAM_FAILED = 4911 ELS Error
        "a stream broke"
        "en strøm blev brudt"
        STREAM .per("group") .ends_on(STREAM_OPEN);
    SUBSCRIPTIONS_READ_FAILED = 4912 ELS Error
        "the groups could not be read from the database"
        "grupperne kunne ikke læses fra databasen"
        DATABASE .per("group") .ends_on(STREAM_OPEN);
    SUBSCRIPTIONS_WRITE_FAILED = 4913 ELS Error
        "the groups could not be written to the database"
        "grupperne kunne ikke skrives til databasen"
        DATABASE .ends_on(DATABASE);
    MEMBERSHIPS_READ_FAILED = 4914 ELS Error
        "the members of groups could not be read from the database"
        "gruppernes medlemmer kunne ikke læses fra databasen"
        DATABASE .ends_on(DATABASE);
    MAILBOX_NOT_FOUND = 4915 ELS Error
        "a mailbox was not found"
        "en postkasse blev ikke fundet"
        MAILBOX .react(InvestigateInExchange) .per("mailbox") .ends_on(MAILBOX_HEARD);
    CALENDAR_FOLDER_MISSING = 4916 ELS Error
        "a mailbox has no calendar folder"
        "en postkasse har ingen kalendermappe"
        MAILBOX .react(InvestigateInExchange) .per("mailbox") .ends_on(MAILBOX_HEARD);
    SUBSCRIPTION_ATTACH_FAILED = 4917 ELS Error
        "a subscription could not be attached to its stream"
        "et abonnement kunne ikke knyttes til sin strøm"
        STREAM .per("group") .ends_on(STREAM_OPEN);
    SUBSCRIBERS_WRITE_FAILED = 4918 ELS Error
        "changes of the mailboxes listened to could not be written to the database"
        "ændringer i de postkasser, der lyttes til, kunne ikke skrives til databasen"
        DATABASE .ends_on(LISTENER_ROUND);
    SUBSCRIBER_REMOVE_FAILED = 4919 ELS Error
        "a mailbox could not be removed from those listened to"
        "en postkasse kunne ikke fjernes fra dem, der lyttes til"
        NOTHING .quiet()
        .never("the actor of a mailbox ends with its group at the latest; one that is gone already is no failure",
            "en postkasses aktør ender senest med sin gruppe; er den allerede væk, er det ingen fejl");
    SUBSCRIPTION_REMOVE_FAILED = 4920 ELS Error
        "a subscription could not be removed"
        "et abonnement kunne ikke fjernes"
        NOTHING .quiet();
    SUBSCRIPTION_REMOVAL_FAILED = 4921 ELS Error
        "a subscription could not be taken out of its group"
        "et abonnement kunne ikke tages ud af sin gruppe"
        NOTHING .quiet()
        .told_as(&[4920],
            "ending a subscription and taking it out of its group is one step here",
            "at afslutte et abonnement og tage det ud af gruppen er ét trin her");
    SUBSCRIPTION_ADD_FAILED = 4922 ELS Error
        "a subscription could not be added"
        "et abonnement kunne ikke oprettes"
        MAILBOX .per("mailbox") .ends_on(MAILBOX_HEARD);
    SUBSCRIPTION_ADDITION_FAILED = 4923 ELS Error
        "a subscription could not be put into its group"
        "et abonnement kunne ikke føjes til sin gruppe"
        MAILBOX
        .told_as(&[4922],
            "making a subscription and putting it into its group is one step here",
            "at oprette et abonnement og føje det til gruppen er ét trin her");
    GROUP_AFFINITY_FAILED = 4924 ELS Error
        "the affinity of a group could not be kept"
        "en gruppes affinitet kunne ikke fastholdes"
        STREAM
        .told_as(&[4917, 9003],
            "a group that Exchange moved loses subscriptions, which is told, and is set up anew",
            "en gruppe, som Exchange har flyttet, mister abonnementer; det meldes, og gruppen sættes op igen");
    GROUP_AFFINITY_UNSOLVED = 4925 ELS Error
        "the affinity of a mailbox is not known, and the configuration forbids to ask for it"
        "en postkasses affinitet er ukendt, og konfigurationen forbyder at spørge efter den"
        LOCATE .per("mailbox") .ends_on(MAILBOX_HEARD);
    STREAM_WITHOUT_SUBSCRIPTIONS = 4926 ELS Error
        "a stream cannot be made, no mailbox of its group could be subscribed to"
        "en strøm kan ikke oprettes, da der ikke kunne abonneres på nogen postkasse i gruppen"
        MAILBOX .critical() .per("group") .ends_on(STREAM_OPEN);
    SUBSCRIBER_STATUS_WRITE_FAILED = 4927 ELS Error
        "the status of a mailbox could not be written to the database"
        "en postkasses status kunne ikke skrives til databasen"
        DATABASE .ends_on(DATABASE);
    GROUP_CREATE_FAILED = 4928 ELS Error
        "an affinity group could not be made"
        "en affinitetsgruppe kunne ikke oprettes"
        LOG .per("group") .ends_on(STREAM_OPEN);
    LOCATE_FAILED = 4929 ELS Error
        "the Exchange address of a mailbox could not be found"
        "Exchange-adressen for en postkasse kunne ikke findes"
        LOCATE .react(InvestigateInExchange) .per("mailbox") .ends_on(MAILBOX_HEARD);
    ENDPOINT_MISSING = 4930 ELS Error
        "autodiscovery names no endpoint for a mailbox"
        "Autodiscover angiver intet endepunkt for en postkasse"
        LOCATE .react(InvestigateInExchange) .per("mailbox") .ends_on(MAILBOX_HEARD);
    GROUP_SETUP_FAILED = 4931 ELS Error
        "the group of some mailboxes could not be set up"
        "gruppen for nogle postkasser kunne ikke sættes op"
        MAILBOX .react(InvestigateInExchange)
        .told_as(&[4926, 4938],
            "a group of which no mailbox works is 4926, one that an outage keeps from working 4938",
            "en gruppe, hvor ingen postkasse virker, er 4926; en, som et nedbrud holder nede, er 4938");
    MAILBOX_MISSING = 4932 ELS Error
        "a mailbox cannot be found"
        "en postkasse kan ikke findes"
        MAILBOX .react(InvestigateInExchange)
        .told_as(&[4915, 4929],
            "a mailbox that is missing is told where it is noticed: when it is located or when it is opened",
            "en manglende postkasse meldes, hvor det opdages: når den lokaliseres, eller når den åbnes");
    SERVICE_ACCOUNT_MISSING = 4933 ELS Error
        "there is no service account for a group"
        "der er ingen servicekonto til en gruppe"
        ACCOUNTS .react(CorrectConfiguration) .critical() .ends_on(COVERAGE);
    SERVICE_ACCOUNTS_EXHAUSTED = 4934 ELS Error
        "there are too few service accounts for all groups"
        "der er for få servicekonti til alle grupper"
        ACCOUNTS .react(CorrectConfiguration) .critical() .ends_on(COVERAGE);
    GROUP_NAME_FAILED = 4935 ELS Error
        "a group has no usable name"
        "en gruppe har intet brugbart navn"
        LOG
        .never("groups have numbers from the database",
            "grupper har numre fra databasen");
    LISTENER_TIMER_FAILED = 4936 ELS Error
        "a timer of the listener failed"
        "en af lytterens timere fejlede"
        LOG
        .never("timers belong to their actor and cannot fail; one that is dead is noticed by its supervisor",
            "timere hører til deres aktør og kan ikke fejle; en død aktør opdages af sin supervisor");
    LISTENER_EXCHANGE_FAILED = 4937 ELS Error
        "talking to Exchange about a mailbox failed while listening"
        "kommunikationen med Exchange om en postkasse fejlede under lytningen"
        EXCHANGE .per("mailbox") .ends_on(MAILBOX_HEARD);
    GROUP_EXCHANGE_FAILED = 4938 ELS Error
        "talking to Exchange fails for a whole group"
        "kommunikationen med Exchange fejler for en hel gruppe"
        EXCHANGE .per("group") .ends_on(GROUP_WELL);

    // 90xx: situations that the original did not have
    SYNC_STATE_REJECTED = 9001 ELS Warning
        "Exchange does not accept a sync state, the mailbox starts over and is read in full"
        "Exchange godtager ikke en synkroniseringstilstand; postkassen begynder forfra og læses fuldt ud"
        NOTHING .quiet();
    LISTENER_WAITS = 9002 ELS Information
        "the listener waits for the first resource list"
        "lytteren venter på den første ressourceliste"
        RESOURCES;
    SUBSCRIPTIONS_LOST = 9003 ELS Warning
        "all subscriptions of a group were lost, it is set up anew"
        "alle en gruppes abonnementer gik tabt; den sættes op igen"
        NOTHING .quiet();
    NOTIFICATIONS_OVERFLOW = 9004 ELS Error
        "more notifications waited for the database than fit, their mailboxes catch up"
        "flere notifikationer ventede på databasen, end der er plads til; deres postkasser indhenter det forsømte"
        DATABASE;
    LEASE_STANDBY = 9005 ELS Information
        "another instance owns this, it is waited for"
        "en anden instans ejer dette; der ventes på den"
        NOTHING;
    GROUP_OUTAGE_OVER = 9611 ELS Information
        "an outage that kept mailboxes of a group from being listened to is over"
        "et nedbrud, der forhindrede lytning til en gruppes postkasser, er forbi"
        NOTHING;
}
