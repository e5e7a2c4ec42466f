-- When a decision was stored (V4) is said by the statement that stores it, from this version on. The triggers do it for the
-- version before, which runs beside this one, and cost nothing otherwise.

drop trigger calendar_event_decision_stored on calendar_event;
create trigger calendar_event_decision_stored before insert on calendar_event
    for each row when (new.version > 0 and new.decision_stored_at is null)
    execute function calendar_event_decision_stored();
create trigger calendar_event_decision_stored_anew before update of version on calendar_event
    for each row when (new.version > 0 and new.decision_stored_at is not distinct from old.decision_stored_at)
    execute function calendar_event_decision_stored();
