"""What moto's CloudWatch forgets: that an alarm's tags go with it. The next one of the name would have them.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DeleteAlarms.html
"""

from __future__ import annotations

import functools

from moto.cloudwatch.models import CloudWatchBackend


def install() -> None:
    """Whichever protocol asks for the deletion."""
    delete = CloudWatchBackend.delete_alarms

    @functools.wraps(delete)
    def delete_with_tags(self: CloudWatchBackend, alarm_names: list[str]) -> None:
        arns = [self.alarms[name].alarm_arn for name in alarm_names if name in self.alarms]
        delete(self, alarm_names)
        for arn in arns:
            self.tagger.delete_all_tags_for_resource(arn)

    CloudWatchBackend.delete_alarms = delete_with_tags  # type: ignore[method-assign]
