//! Alerts: their reactions, their thresholds and how they end.

texts! {
    REACTION_NOTHING = "reaction.nothing" { en "nothing to do" da "intet at gøre" }
    REACTION_INVESTIGATE = "reaction.investigate" { en "investigate" da "undersøg" }
    REACTION_EXCHANGE = "reaction.investigate_in_exchange" { en "investigate in Exchange" da "undersøg i Exchange" }
    REACTION_PLANNER = "reaction.investigate_in_planner" {
        en "investigate in Jobcenter Planner" da "undersøg i Jobcenter Planner"
    }
    REACTION_CONFIGURATION = "reaction.correct_configuration" {
        en "correct the configuration" da "ret konfigurationen"
    }
    REACTION_SUPPORT = "reaction.ask_planner_support" {
        en "contact Planner's support" da "kontakt Planners support"
    }
    REACTION_OTHER = "reaction.see_other" {
        en "see the other event at the same time" da "se den anden hændelse på samme tid"
    }
    REACTION_DECIDE = "reaction.decide" { en "decide: confirm or reject" da "afgør: bekræft eller afvis" }

    ALERTS_NEVER = "threshold.never" { en "never" da "aldrig" }
    ALERTS_ALWAYS = "threshold.always" { en "each time" da "hver gang" }
    ALERTS_IN_A_ROW = "threshold.in_a_row" { en "more than {n} in a row" da "mere end {n} i træk" }
    ALERTS_IN_A_DAY = "threshold.in_a_day" { en "more than {n} within 24 hours" da "mere end {n} inden for 24 timer" }
    ALERTS_PER_MAILBOX = "threshold.per_mailbox" {
        en "{threshold}, for the same mailbox" da "{threshold}, for samme postkasse"
    }
    ALERTS_PER_ACCOUNT = "threshold.per_account" {
        en "{threshold}, for the same service account" da "{threshold}, for samme servicekonto"
    }
    ALERTS_PER_GROUP = "threshold.per_group" { en "{threshold}, for the same group" da "{threshold}, for samme gruppe" }
    ALERTS_PER_SHARD = "threshold.per_shard" { en "{threshold}, for the same shard" da "{threshold}, for samme del" }

    ENDS_QUIET = "ends.quiet" {
        en "when it has not come for an hour" da "når den ikke er kommet i en time"
    }
    ENDS_STATE = "ends.state" {
        en "when an operator has settled it" da "når en operatør har afgjort det"
    }
    ENDS_DAY = "ends.day" { en "when few are left within 24 hours" da "når der kun er få tilbage inden for 24 timer" }
    ENDS_ON = "ends.success" { en "when {success}" da "når {success}" }

    SEVERITY_INFORMATION = "severity.information" { en "information" da "information" }
    SEVERITY_WARNING = "severity.warning" { en "warning" da "advarsel" }
    SEVERITY_ERROR = "severity.error" { en "error" da "fejl" }
}
