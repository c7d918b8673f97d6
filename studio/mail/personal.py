"""The links of one receiver, which are in a mail when it leaves and not before.

Such a link carries a permission: to confirm a place on a list, to end somebody's mail. The rows of the outbox can be
read by the project's owner and by whoever operates the studio, so they hold a marker in its place. The same row always
becomes the same mail, byte by byte: a provider that is asked again compares.
"""

from __future__ import annotations

import dataclasses
import html

from studio import links
from studio.errors import InvalidInput
from studio.mail.letters import REQUESTED
from studio.mail.markers import confirm_place, unsubscribe_place
from studio.mail.message import Mail
from studio.mail.suppression import never_again_url, unsubscribe_url
from studio.settings import Settings


def personal(settings: Settings, mail: Mail) -> Mail:
    """Return a mail with its receiver's own links.

    Raise `SettingsError` where they cannot be made: such mail is not sent without.
    """
    if mail.unsubscribe_reason is None and mail.category not in REQUESTED:
        return _with_unsubscribe(settings, mail)
    url = None
    if mail.unsubscribe_reason is not None:
        scope = mail.project_id
        if mail.unsubscribe_reason == "blocked":
            url = never_again_url(settings, scope, mail.to_email)
        else:
            url = unsubscribe_url(settings, scope, "studio" if mail.sender == "studio" else "project", mail.to_email)
    if mail.link_marker is None:
        return dataclasses.replace(mail, unsubscribe_url=url)
    places = {} if url is None else {unsubscribe_place(mail.link_marker): url}
    if mail.confirms_signup_id is not None:
        if mail.confirms_until is None:
            raise InvalidInput("The mail does not say until when it confirms.", "Set confirms_until.")
        places[confirm_place(mail.link_marker)] = links.confirm_url(
            settings, mail.confirms_signup_id, mail.confirms_until
        )
    markup, text = mail.html_body, mail.text_body
    for place, link in places.items():
        markup = markup.replace(place, html.escape(link))
        text = None if text is None else text.replace(place, link)
    return dataclasses.replace(mail, unsubscribe_url=url, html_body=markup, text_body=text)


def _with_unsubscribe(settings: Settings, mail: Mail) -> Mail:
    """Return the mail of another client, which knows no unsubscribe links, with one."""
    url = unsubscribe_url(settings, mail.project_id, "studio" if mail.sender == "studio" else "project", mail.to_email)
    link = f'<p><a href="{html.escape(url)}">Unsubscribe</a></p>'
    body, end, rest = mail.html_body.rpartition("</body>")
    return dataclasses.replace(
        mail,
        unsubscribe_url=url,
        html_body=f"{body}{link}{end}{rest}" if end else f"{mail.html_body}{link}",
        text_body=None if mail.text_body is None else f"{mail.text_body}\n\nUnsubscribe: {url}\n",
    )
