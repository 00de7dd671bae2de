/** What the settings mean, by their field: unit, range, and what holds unless they are set. */
export const SETTING_HELP: Readonly<Record<string, string>> = {
  registration_enabled: "anybody may register; no unless set",
  public_pool_enabled: "super keys may draw on public provider keys; yes unless set",
  session_minutes: "minutes a session lasts, 5 to 43200; 480 unless set",
  lockout_failures: "failed sign-ins that lock an account, 3 to 100; 5 unless set",
  lockout_minutes: "minutes that such a lock lasts, 1 to 1440; 15 unless set",
  rotation_due_days:
    "days after which a secret counts as due for rotation, 1 to 3650; 90 unless set",
  expiry_notice_days: "days before expiry from which a key is marked, 0 to 365; 7 unless set",
  health_check_seconds:
    "seconds between health checks of a provider key, 60 to 604800, 0 for none; 3600 unless set",
  call_retention_days: "days that calls are kept, 1 to 3650, 0 for good; 30 unless set",
  minute_rollup_days: "days that sums by the minute are kept, 1 to 3650; 7 unless set",
  hour_rollup_days: "days that sums by the hour are kept, 1 to 3650; 90 unless set",
  day_rollup_days: "days that sums by the day are kept, 1 to 3650; 1095 unless set",
  storage_failure_policy:
    "while calls cannot be recorded: serve on and count what is lost, or refuse them with 503; serve unless set",
  durability:
    "when the record of a call is safe on the disk: relaxed, within 50 ms, or strict, before its last byte; relaxed unless set",
  aborted_call_policy:
    "what a call costs that the caller cut off: observed, what was seen; reserved, what was set aside; nothing; observed unless set",
  default_client_key_limits: "limits of new client keys that are made without any, none unless set",
  server_limits: "limits of all client keys together, none unless set",
  queue_timeout_ms: "milliseconds a call may wait for admission, 0 to 60000; 5000 unless set",
};
