"""The names that other clients rely on: tables, columns and indexes are there, with the defaults they count on."""

from __future__ import annotations

import re

import pytest

from studio.database.connection import Database

# Beside id and created_at, which all have unless said otherwise. A name with "=" has that default.
COLUMNS = {
    "users": "clerk_id! email",
    "projects": "owner_clerk_id! user_id batch_id name! domain idea_description! repo_url phase!=0 runtime_mode!"
    " permissions! night_shift!=true focus_areas! scan_results wizard_state! repo_summary brand_kit"
    " deploy_status!=idle live_url updated_at",
    "phase_packets": "project_id! phase! packet! confidence! synopsis! packet_data confidence_score"
    " reasoning_synopsis ceo_recommendation deliverables",
    "approval_queue": "project_id! packet_id phase! title! description! risk! risk_level type action_type! payload!"
    " status!=pending version!=1 decided_by decided_at resolved_at resolved_by agent_source execution_status!=idle"
    " execution_job_id packet_version_id guidance asset_id content_hash",
    "tasks": "project_id! agent! description! status! detail reasoning_synopsis execution_log error started_at"
    " completed_at",
    "task_log": "project_id! step! status! detail",
    "agent_jobs": "project_id! job_type! agent_key! status!=queued priority!=0 payload! idempotency_key!"
    " run_after!=now() attempts!=0 max_attempts!=3 locked_at locked_by last_error started_at completed_at",
    "agent_job_events": "project_id! job_id! type! message data!",
    "agent_job_steps": "job_id! step! output!",
    "agent_memory": "project_id! category! key! value! source_job_id agent_key! confidence!=1 updated_at",
    "project_assets": "project_id! phase kind! storage_bucket!=project-assets storage_path! filename! mime_type"
    " size_bytes status!=pending metadata! created_by",
    "action_executions": "approval_id! project_id! action_type! status! detail provider_response",
    "project_deployments": "project_id! phase=1 status html_content! metadata deployed_at updated_at",
    "email_jobs": "project_id! approval_id to_email subject html_body! scheduled_for! status=queued"
    " provider_message_id error sent_at",
    "waitlist_signups": "email! source=landing_page metadata",
    "packet_share_links": "project_id! token created_by expires_at",
    "domain_scan_cache": "domain result! expires_at! updated_at",
    "project_chat_messages": "project_id! owner_clerk_id! role content",
    "github_connections": "clerk_id username avatar github_id scopes connected_at",
    "batches": "owner_clerk_id name status=draft domain_count=0 scan_options updated_at",
    "drip_email_log": "user_id email_type project_id digest_week to_email subject resend_message_id status=sent error",
    "project_events": "project_id! event_type! message data",
    "project_brain_documents": "project_id! mission_markdown! memory_markdown! memory_version=1 last_event_id"
    " updated_at",
    "project_brain_updates": "project_id! status=queued trigger_event_id reason input_event_count error started_at"
    " completed_at",
    "project_integrations": "project_id! provider enabled=true config_encrypted! config_masked",
    "project_email_identities": "project_id! provider=resend reply_address status metadata",
    "inbound_email_messages": "project_id email_identity_id provider! provider_message_id from_email! to_email!"
    " subject text_body html_body payload status received_at processed_at",
    "project_recurring_tasks": "project_id! task_key cron_expr timezone=UTC job_type agent_key payload priority=10"
    " enabled=true next_run_at=now() last_run_at created_by",
    "project_analytics_events": "project_id! source=manual event_type=track event_name! value_numeric value_text"
    " currency properties occurred_at",
    "project_payment_events": "project_id! provider external_id event_type status amount_cents=0 currency=USD"
    " metadata occurred_at",
    "project_runtime_instances": "project_id! status mode provider runtime_endpoint runtime_metadata repo_ref db_ref"
    " last_error",
    "project_provisioning_jobs": "project_id! runtime_instance_id status step attempts error metadata",
    "project_runtime_secrets": "project_id! secret_key secret_ref metadata",
    "worker_heartbeats": "worker_id! service_name=greenlight-worker status started_at last_seen_at jobs_processed"
    " consecutive_poll_errors rss_mb details",
}
WITHOUT_CREATED_AT = {"domain_scan_cache", "project_deployments", "worker_heartbeats", "github_connections"}
WITHOUT_ID = {"domain_scan_cache", "project_deployments", "worker_heartbeats", "project_brain_documents"}
WITHOUT_ID |= {"agent_job_steps"}

INDEXES = {
    "agent_jobs": [
        "UNIQUE (project_id, idempotency_key)",
        "(status, run_after, priority DESC, created_at)",
        "(project_id, created_at DESC)",
    ],
    "agent_job_events": [
        "(job_id, created_at)",
        "(project_id, created_at DESC)",
        "(project_id, created_at, id)",
    ],
    "phase_packets": ["UNIQUE (project_id, phase)"],
    "agent_memory": ["UNIQUE (project_id, category, key)", "(project_id, category, updated_at DESC)"],
    "project_assets": ["UNIQUE (project_id, storage_path)"],
    "action_executions": ["UNIQUE (approval_id)"],
    "tasks": ["(project_id, created_at DESC)"],
    "email_jobs": ["(project_id, scheduled_for)", "(status, scheduled_for)"],
    "project_chat_messages": ["(project_id, created_at DESC)"],
    "project_events": ["(project_id, created_at DESC)", "(project_id, event_type, created_at DESC)"],
    "project_recurring_tasks": ["(enabled, next_run_at)", "UNIQUE (project_id, task_key)"],
    "packet_share_links": ["UNIQUE (token)"],
    "users": ["UNIQUE (clerk_id)"],
    "project_integrations": ["UNIQUE (project_id, provider)"],
}


@pytest.mark.parametrize("table", COLUMNS)
def test_a_table_has_the_columns_that_clients_use(database: Database, table: str) -> None:
    found = {
        row["column_name"]: row
        for row in database.fetch_all(
            "select column_name, is_nullable, column_default from information_schema.columns"
            " where table_schema = 'public' and table_name = %s",
            [table],
        )
    }
    wanted = COLUMNS[table].split()
    wanted += [] if table in WITHOUT_ID else ["id!"]
    wanted += [] if table in WITHOUT_CREATED_AT else ["created_at!=now()"]
    for spelled in wanted:
        name, required, default = re.fullmatch(r"(\w+)(!?)(?:=(.+))?", spelled).groups()  # type: ignore[union-attr]
        assert name in found, f"{table}.{name} is missing"
        if required:
            assert found[name]["is_nullable"] == "NO", f"{table}.{name} may be null"
        if default is not None:
            said = re.sub(r"^'(.*)'::\w+$", r"\1", found[name]["column_default"] or "")
            assert said == default, f"{table}.{name} has the default {said!r}"


@pytest.mark.parametrize("table", INDEXES)
def test_a_table_has_the_indexes_that_clients_count_on(database: Database, table: str) -> None:
    found = [
        ("UNIQUE " if row["indexdef"].startswith("CREATE UNIQUE") else "") + row["indexdef"].split(" USING btree ")[1]
        for row in database.fetch_all(
            "select indexdef from pg_indexes where schemaname = 'public' and tablename = %s", [table]
        )
    ]
    assert set(INDEXES[table]) <= set(found)


def test_the_functions_of_other_clients_take_their_arguments(database: Database) -> None:
    found = {
        row["proname"]: row["arguments"]
        for row in database.fetch_all(
            "select proname, pg_get_function_arguments(oid) as arguments from pg_proc"
            " where pronamespace = 'public'::regnamespace"
        )
    }
    assert found["claim_agent_jobs"].startswith("p_worker_id text, p_limit integer DEFAULT 5")
    assert found["complete_agent_job"].startswith("p_job_id uuid, p_status text, p_error text DEFAULT NULL")
    assert "interval DEFAULT '00:10:00'::interval" in found["reclaim_stale_jobs"]
    assert found["decide_approval"] == (
        "p_approval_id uuid, p_decision text, p_version integer, p_decided_by text, p_guidance text DEFAULT NULL::text"
    )
    assert found["set_project_status"] == (
        "p_project_id uuid, p_status text, p_actor text, p_reason text DEFAULT NULL::text"
    )
    assert found["change_project_limits"].startswith(
        "p_project_id uuid, p_actor text, p_permissions jsonb DEFAULT NULL"
    )
