//! What works in a configuration and should still be looked at: the log at start (in English), `config check` and
//! `doctor`.

texts! {
    RENAMED = "config.renamed" {
        en "{old} is called {new} now; the former name still works"
        da "{old} hedder nu {new}; det tidligere navn virker stadig"
    }
    PLAIN_PASSWORD = "config.plain_password" {
        en "{key} is plain http: the password of the service account crosses the network unencrypted"
        da "{key} er ren http: servicekontoens adgangskode sendes ukrypteret over netværket"
    }
    PLAIN_APPOINTMENTS = "config.plain_appointments" {
        en "{key} is plain http: every appointment crosses the network unencrypted"
        da "{key} er ren http: alle aftaler sendes ukrypteret over netværket"
    }
    ANY_CERTIFICATE = "config.any_certificate" {
        en "exchange.danger_accept_invalid_certificates is true: no certificate of Exchange is verified"
        da "exchange.danger_accept_invalid_certificates er true: ingen af Exchanges certifikater kontrolleres"
    }
    LACKS_CERTIFICATE = "config.lacks_certificate" {
        en "planner.service_url is https and planner.client_certificate is not set: Planner refuses who shows no certificate"
        da "planner.service_url er https, og planner.client_certificate er ikke sat: Planner afviser den, der intet certifikat viser"
    }
    DRY_RUN = "config.dry_run" {
        en "planner.dry_run is true: everything is decided and compared, nothing is sent"
        da "planner.dry_run er true: alt afgøres og sammenlignes, intet sendes"
    }
    PLACEHOLDER = "config.placeholder" {
        en "exchange.password is the placeholder of config.example.toml; Exchange will refuse it"
        da "exchange.password er pladsholderen fra config.example.toml; Exchange vil afvise den"
    }
}
