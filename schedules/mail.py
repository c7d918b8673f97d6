"""Mail: what is due is sent every hour; digests and nudges are looked at once a day.

How often somebody is written to is not decided here: a digest is sent once per ISO week, a nudge once, whatever
the schedule does.
"""

from schedules.enqueuing import build_schedule, one_job
from studio import fan_out
from studio.mail.dispatch import DUE_MAIL

DUE_CRON = "0 * * * *"
# After the night, so that a digest tells of it.
DIGESTS_CRON = "0 7 * * *"
NUDGES_CRON = "30 7 * * *"

mail_schedules = [
    build_schedule(
        "due_mail_hourly",
        DUE_MAIL,
        DUE_CRON,
        "Queues the sending of the mails that are due.",
        one_job(fan_out.due_mail),
    ),
    build_schedule(
        "digests_daily",
        fan_out.DIGESTS,
        DIGESTS_CRON,
        "Queues the weekly digests, each of which is sent once per ISO week.",
        one_job(fan_out.digests),
    ),
    build_schedule(
        "nudges_daily",
        fan_out.NUDGES,
        NUDGES_CRON,
        "Queues the nudges, each of which is sent once.",
        one_job(fan_out.nudges),
    ),
]
