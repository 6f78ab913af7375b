"""Writes and questions as durable steps."""

from restate import Context

from chassis.serve import implements
from chassis.steps import step
from services.openfga import contract
from services.openfga.access import Access
from services.openfga.contract import (
    BatchCheckRequest,
    BatchCheckResponse,
    CheckRequest,
    CheckResponse,
    DeleteTuplesRequest,
    DeleteTuplesResponse,
    ListObjectsRequest,
    ListObjectsResponse,
    WriteTuplesRequest,
    WriteTuplesResponse,
)


class OpenFGA:
    """Sharing, by way of OpenFGA."""

    def __init__(self, access: Access) -> None:
        self._access = access

    @implements(contract.write_tuples)
    async def write_tuples(self, ctx: Context, request: WriteTuplesRequest) -> WriteTuplesResponse:
        """Have tuples, whether they were there or not."""
        return await step(ctx, "write", self._write, WriteTuplesResponse, request=request)

    @implements(contract.delete_tuples)
    async def delete_tuples(
        self, ctx: Context, request: DeleteTuplesRequest
    ) -> DeleteTuplesResponse:
        """Have tuples no more, whether they were there or not."""
        return await step(ctx, "delete", self._delete, DeleteTuplesResponse, request=request)

    @implements(contract.check)
    async def check(self, ctx: Context, request: CheckRequest) -> CheckResponse:
        """Ask whether somebody may do something; no, unless somebody has allowed it."""
        return await step(ctx, "check", self._check, CheckResponse, request=request)

    @implements(contract.batch_check)
    async def batch_check(self, ctx: Context, request: BatchCheckRequest) -> BatchCheckResponse:
        """Ask several questions at once."""
        return await step(ctx, "check", self._check_all, BatchCheckResponse, request=request)

    @implements(contract.list_objects)
    async def list_objects(self, ctx: Context, request: ListObjectsRequest) -> ListObjectsResponse:
        """List what somebody may do something with."""
        return await step(ctx, "list", self._list, ListObjectsResponse, request=request)

    async def _write(self, request: WriteTuplesRequest) -> WriteTuplesResponse:
        await self._access.write(request.tenant_id, request.tuples)
        return WriteTuplesResponse()

    async def _delete(self, request: DeleteTuplesRequest) -> DeleteTuplesResponse:
        await self._access.delete(request.tenant_id, request.tuples)
        return DeleteTuplesResponse()

    async def _check(self, request: CheckRequest) -> CheckResponse:
        [allowed] = await self._access.allowed(
            request.asker, [request.question], fresh=request.fresh
        )
        return CheckResponse(allowed=allowed)

    async def _check_all(self, request: BatchCheckRequest) -> BatchCheckResponse:
        allowed = await self._access.allowed(request.asker, request.questions, fresh=request.fresh)
        return BatchCheckResponse(allowed=allowed)

    async def _list(self, request: ListObjectsRequest) -> ListObjectsResponse:
        ids, truncated = await self._access.listed(
            request.asker, request.permission, request.type, fresh=request.fresh
        )
        return ListObjectsResponse(ids=ids, truncated=truncated)
