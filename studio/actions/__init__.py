"""What the studio does in the world once a person has approved it.

registry     which actions there are, and the module of each
execution    the steps of the job `approval.execute`: begin, perform, record
context      what an action works with: the approval, the packet it pins, the fence, the outbox
…            one module per action, with one function `perform`
"""
