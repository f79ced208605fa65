"""What we run ourselves: the billing webhook, the budget notifier. Never runs Pulumi, never imports it."""
