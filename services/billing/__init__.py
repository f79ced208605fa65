"""The billing webhook: what Stripe says of subscriptions becomes what the registry wants of tenants.

It stores each event once, moves the tenant's row and asks for the operation in the same transaction, and answers when
that is durable. It runs as a Lambda function (`lambda_entry`) or as a process (`python -m services.billing`).
"""

PATH = "/webhooks/stripe"
"""Where Stripe's events are POSTed."""
