"""The budget notifier: takes what AWS Budgets publishes, and sees to it that people hear of it, once.

Topic -> queue -> one row for each alert in the control database -> each sink on its own. The queue is the way in, and
not an HTTP endpoint that SNS calls: nothing has to be reachable from the internet, what arrives while the notifier is
down waits (14 days), how fast it is taken is the notifier's own choice, and what cannot be read is kept in a
dead-letter queue.
"""
