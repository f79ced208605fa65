"""Plain data about products, plans and tenants, and its models. Nothing here knows of Pulumi or of a cloud."""
