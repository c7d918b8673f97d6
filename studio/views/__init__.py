"""Read models: what a page shows, read from rows in a few queries each. Nothing here changes anything.

dashboard   what needs the owner, what runs, what happened at night, spend, projects
inbox       approvals: the lists, and one with all that a decision needs
outbox      mails and effects of an owner, and a mail as it was sent
operations  what the operations' pages show beside `studio.operations`
limits      what a project may do, and what its end would end
"""
