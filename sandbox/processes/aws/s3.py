"""What moto's S3 forgets: that a bucket's tags go with it. The next one of the name would have them.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucket.html
"""

from __future__ import annotations

import functools

from moto.s3.models import FakeBucket, S3Backend


def install() -> None:
    """Several routes lead to a deletion, and all of them here."""
    delete = S3Backend.delete_bucket

    @functools.wraps(delete)
    def delete_with_tags(self: S3Backend, bucket_name: str) -> FakeBucket | None:
        gone = delete(self, bucket_name)
        if gone is not None:
            self.tagger.delete_all_tags_for_resource(gone.arn)
        return gone

    S3Backend.delete_bucket = delete_with_tags  # type: ignore[method-assign]
