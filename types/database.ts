// Written by `make types`. Made of: 19c9201529683b8651263ca53557182c9d30be84080d36984860b60a3848439a
export type Json =
  | string
  | number
  | boolean
  | null
  | { [key: string]: Json | undefined }
  | Json[]

export type Database = {
  public: {
    Tables: {
      action_executions: {
        Row: {
          action_type: string
          approval_id: string
          claim_no: number | null
          created_at: string
          detail: string | null
          id: string
          job_id: string | null
          project_id: string
          provider_response: Json | null
          status: string
          steps: NonNullable<Json>
          updated_at: string
        }
        Insert: {
          action_type: string
          approval_id: string
          claim_no?: number | null
          created_at?: string
          detail?: string | null
          id?: string
          job_id?: string | null
          project_id: string
          provider_response?: Json | null
          status: string
          steps?: NonNullable<Json>
          updated_at?: string
        }
        Update: {
          action_type?: string
          approval_id?: string
          claim_no?: number | null
          created_at?: string
          detail?: string | null
          id?: string
          job_id?: string | null
          project_id?: string
          provider_response?: Json | null
          status?: string
          steps?: NonNullable<Json>
          updated_at?: string
        }
        Relationships: [
          {
            foreignKeyName: "action_executions_approval_id_fkey"
            columns: ["approval_id"]
            isOneToOne: true
            referencedRelation: "approval_queue"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "action_executions_job_id_fkey"
            columns: ["job_id"]
            isOneToOne: false
            referencedRelation: "agent_jobs"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "action_executions_project_id_fkey"
            columns: ["project_id"]
            isOneToOne: false
            referencedRelation: "projects"
            referencedColumns: ["id"]
          },
        ]
      }
      action_types: {
        Row: {
          action_type: string
          needs_ads_cap: boolean
          needs_permission: string | null
          needs_repo: boolean
          needs_shared_runtime: boolean
          phase: number | null
          pins: string
          risk: string
          title: string
        }
        Insert: {
          action_type: string
          needs_ads_cap?: boolean
          needs_permission?: string | null
          needs_repo?: boolean
          needs_shared_runtime?: boolean
          phase?: number | null
          pins: string
          risk: string
          title: string
        }
        Update: {
          action_type?: string
          needs_ads_cap?: boolean
          needs_permission?: string | null
          needs_repo?: boolean
          needs_shared_runtime?: boolean
          phase?: number | null
          pins?: string
          risk?: string
          title?: string
        }
        Relationships: []
      }
      agent_job_events: {
        Row: {
          attempt: number
          claim_no: number
          created_at: string
          data: NonNullable<Json>
          id: string
          job_id: string
          message: string | null
          project_id: string
          seq: number
          trace_id: string | null
          type: string
        }
        Insert: {
          attempt?: number
          claim_no?: number
          created_at?: string
          data?: NonNullable<Json>
          id?: string
          job_id: string
          message?: string | null
          project_id: string
          seq: number
          trace_id?: string | null
          type: string
        }
        Update: {
          attempt?: number
          claim_no?: number
          created_at?: string
          data?: NonNullable<Json>
          id?: string
          job_id?: string
          message?: string | null
          project_id?: string
          seq?: number
          trace_id?: string | null
          type?: string
        }
        Relationships: [
          {
            foreignKeyName: "agent_job_events_job_id_fkey"
            columns: ["job_id"]
            isOneToOne: false
            referencedRelation: "agent_jobs"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "agent_job_events_project_id_fkey"
            columns: ["project_id"]
            isOneToOne: false
            referencedRelation: "projects"
            referencedColumns: ["id"]
          },
        ]
      }
      agent_job_lanes: {
        Row: {
          lane: string
          owner_limit: number | null
          project_limit: number
          slots: number
        }
        Insert: {
          lane: string
          owner_limit?: number | null
          project_limit: number
          slots: number
        }
        Update: {
          lane?: string
          owner_limit?: number | null
          project_limit?: number
          slots?: number
        }
        Relationships: []
      }
      agent_job_steps: {
        Row: {
          attempt: number
          claim_no: number
          created_at: string
          duration_ms: number
          job_id: string
          output: NonNullable<Json>
          step: string
        }
        Insert: {
          attempt: number
          claim_no: number
          created_at?: string
          duration_ms?: number
          job_id: string
          output: NonNullable<Json>
          step: string
        }
        Update: {
          attempt?: number
          claim_no?: number
          created_at?: string
          duration_ms?: number
          job_id?: string
          output?: NonNullable<Json>
          step?: string
        }
        Relationships: [
          {
            foreignKeyName: "agent_job_steps_job_id_fkey"
            columns: ["job_id"]
            isOneToOne: false
            referencedRelation: "agent_jobs"
            referencedColumns: ["id"]
          },
        ]
      }
      agent_job_types: {
        Row: {
          job_type: string
          lane: string
          payload_version: number
        }
        Insert: {
          job_type: string
          lane: string
          payload_version?: number
        }
        Update: {
          job_type?: string
          lane?: string
          payload_version?: number
        }
        Relationships: [
          {
            foreignKeyName: "agent_job_types_lane_fkey"
            columns: ["lane"]
            isOneToOne: false
            referencedRelation: "agent_job_lanes"
            referencedColumns: ["lane"]
          },
        ]
      }
      agent_jobs: {
        Row: {
          agent_key: string
          attempts: number
          cancel_requested_at: string | null
          claim_no: number
          completed_at: string | null
          created_at: string
          dagster_run_id: string | null
          events_pruned_at: string | null
          id: string
          idempotency_key: string
          interruptions: number
          job_type: string
          lane: string
          last_error: string | null
          leased_until: string | null
          locked_at: string | null
          locked_by: string | null
          max_attempts: number
          payload: NonNullable<Json>
          payload_version: number
          priority: number
          project_id: string
          run_after: string
          started_at: string | null
          status: string
          waits_until: string | null
        }
        Insert: {
          agent_key: string
          attempts?: number
          cancel_requested_at?: string | null
          claim_no?: number
          completed_at?: string | null
          created_at?: string
          dagster_run_id?: string | null
          events_pruned_at?: string | null
          id?: string
          idempotency_key: string
          interruptions?: number
          job_type: string
          lane: string
          last_error?: string | null
          leased_until?: string | null
          locked_at?: string | null
          locked_by?: string | null
          max_attempts?: number
          payload?: NonNullable<Json>
          payload_version?: number
          priority?: number
          project_id: string
          run_after?: string
          started_at?: string | null
          status?: string
          waits_until?: string | null
        }
        Update: {
          agent_key?: string
          attempts?: number
          cancel_requested_at?: string | null
          claim_no?: number
          completed_at?: string | null
          created_at?: string
          dagster_run_id?: string | null
          events_pruned_at?: string | null
          id?: string
          idempotency_key?: string
          interruptions?: number
          job_type?: string
          lane?: string
          last_error?: string | null
          leased_until?: string | null
          locked_at?: string | null
          locked_by?: string | null
          max_attempts?: number
          payload?: NonNullable<Json>
          payload_version?: number
          priority?: number
          project_id?: string
          run_after?: string
          started_at?: string | null
          status?: string
          waits_until?: string | null
        }
        Relationships: [
          {
            foreignKeyName: "agent_jobs_lane_fkey"
            columns: ["lane"]
            isOneToOne: false
            referencedRelation: "agent_job_lanes"
            referencedColumns: ["lane"]
          },
          {
            foreignKeyName: "agent_jobs_project_id_fkey"
            columns: ["project_id"]
            isOneToOne: false
            referencedRelation: "projects"
            referencedColumns: ["id"]
          },
        ]
      }
      agent_memory: {
        Row: {
          agent_key: string
          category: string
          confidence: number
          created_at: string
          id: string
          key: string
          origin: string
          project_id: string
          source_job_id: string | null
          updated_at: string
          value: string
        }
        Insert: {
          agent_key: string
          category: string
          confidence?: number
          created_at?: string
          id?: string
          key: string
          origin?: string
          project_id: string
          source_job_id?: string | null
          updated_at?: string
          value: string
        }
        Update: {
          agent_key?: string
          category?: string
          confidence?: number
          created_at?: string
          id?: string
          key?: string
          origin?: string
          project_id?: string
          source_job_id?: string | null
          updated_at?: string
          value?: string
        }
        Relationships: [
          {
            foreignKeyName: "agent_memory_project_id_fkey"
            columns: ["project_id"]
            isOneToOne: false
            referencedRelation: "projects"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "agent_memory_source_job_id_fkey"
            columns: ["source_job_id"]
            isOneToOne: false
            referencedRelation: "agent_jobs"
            referencedColumns: ["id"]
          },
        ]
      }
      alert_deliveries: {
        Row: {
          alert_id: string
          attempts: number
          content: NonNullable<Json>
          created_at: string
          error: string | null
          hour: string
          id: string
          next_at: string
          sent_at: string | null
          status: string
          tried_at: string | null
          way: string
        }
        Insert: {
          alert_id: string
          attempts?: number
          content: NonNullable<Json>
          created_at?: string
          error?: string | null
          hour: string
          id?: string
          next_at?: string
          sent_at?: string | null
          status?: string
          tried_at?: string | null
          way: string
        }
        Update: {
          alert_id?: string
          attempts?: number
          content?: NonNullable<Json>
          created_at?: string
          error?: string | null
          hour?: string
          id?: string
          next_at?: string
          sent_at?: string | null
          status?: string
          tried_at?: string | null
          way?: string
        }
        Relationships: [
          {
            foreignKeyName: "alert_deliveries_alert_id_fkey"
            columns: ["alert_id"]
            isOneToOne: false
            referencedRelation: "alerts"
            referencedColumns: ["id"]
          },
        ]
      }
      alerts: {
        Row: {
          acknowledged_at: string | null
          acknowledged_by: string | null
          closed_at: string | null
          count: number
          data: NonNullable<Json>
          detail: string
          episode: string
          first_at: string
          id: string
          kind: string
          last_at: string
          notifications: number
          notified_at: string | null
          project_id: string | null
          severity: string
          state: string
          subject: string
          title: string
          to_tell: boolean
        }
        Insert: {
          acknowledged_at?: string | null
          acknowledged_by?: string | null
          closed_at?: string | null
          count?: number
          data?: NonNullable<Json>
          detail?: string
          episode?: string
          first_at?: string
          id?: string
          kind: string
          last_at?: string
          notifications?: number
          notified_at?: string | null
          project_id?: string | null
          severity?: string
          state?: string
          subject: string
          title: string
          to_tell?: boolean
        }
        Update: {
          acknowledged_at?: string | null
          acknowledged_by?: string | null
          closed_at?: string | null
          count?: number
          data?: NonNullable<Json>
          detail?: string
          episode?: string
          first_at?: string
          id?: string
          kind?: string
          last_at?: string
          notifications?: number
          notified_at?: string | null
          project_id?: string | null
          severity?: string
          state?: string
          subject?: string
          title?: string
          to_tell?: boolean
        }
        Relationships: [
          {
            foreignKeyName: "alerts_project_id_fkey"
            columns: ["project_id"]
            isOneToOne: false
            referencedRelation: "projects"
            referencedColumns: ["id"]
          },
        ]
      }
      approval_queue: {
        Row: {
          action_type: string
          agent_source: string | null
          asset_id: string | null
          content_hash: string | null
          created_at: string
          decided_at: string | null
          decided_by: string | null
          description: string
          execution_job_id: string | null
          execution_status: string
          guidance: string | null
          id: string
          packet_id: string | null
          packet_version_id: string | null
          payload: NonNullable<Json>
          phase: number
          project_id: string
          resolved_at: string | null
          resolved_by: string | null
          risk: string
          risk_level: string
          status: string
          title: string
          type: string
          version: number
        }
        Insert: {
          action_type: string
          agent_source?: string | null
          asset_id?: string | null
          content_hash?: string | null
          created_at?: string
          decided_at?: string | null
          decided_by?: string | null
          description: string
          execution_job_id?: string | null
          execution_status?: string
          guidance?: string | null
          id?: string
          packet_id?: string | null
          packet_version_id?: string | null
          payload?: NonNullable<Json>
          phase: number
          project_id: string
          resolved_at?: string | null
          resolved_by?: string | null
          risk: string
          risk_level: string
          status?: string
          title: string
          type: string
          version?: number
        }
        Update: {
          action_type?: string
          agent_source?: string | null
          asset_id?: string | null
          content_hash?: string | null
          created_at?: string
          decided_at?: string | null
          decided_by?: string | null
          description?: string
          execution_job_id?: string | null
          execution_status?: string
          guidance?: string | null
          id?: string
          packet_id?: string | null
          packet_version_id?: string | null
          payload?: NonNullable<Json>
          phase?: number
          project_id?: string
          resolved_at?: string | null
          resolved_by?: string | null
          risk?: string
          risk_level?: string
          status?: string
          title?: string
          type?: string
          version?: number
        }
        Relationships: [
          {
            foreignKeyName: "approval_queue_asset_id_fkey"
            columns: ["asset_id"]
            isOneToOne: false
            referencedRelation: "project_assets"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "approval_queue_execution_job_id_fkey"
            columns: ["execution_job_id"]
            isOneToOne: false
            referencedRelation: "agent_jobs"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "approval_queue_packet_id_fkey"
            columns: ["packet_id"]
            isOneToOne: false
            referencedRelation: "phase_packets"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "approval_queue_packet_version_id_fkey"
            columns: ["packet_version_id"]
            isOneToOne: false
            referencedRelation: "phase_packet_versions"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "approval_queue_project_id_fkey"
            columns: ["project_id"]
            isOneToOne: false
            referencedRelation: "projects"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "approval_queue_resolved_by_fkey"
            columns: ["resolved_by"]
            isOneToOne: false
            referencedRelation: "users"
            referencedColumns: ["id"]
          },
        ]
      }
      batches: {
        Row: {
          created_at: string
          domain_count: number
          id: string
          name: string
          owner_clerk_id: string
          scan_options: NonNullable<Json>
          status: string
          updated_at: string
        }
        Insert: {
          created_at?: string
          domain_count?: number
          id?: string
          name: string
          owner_clerk_id: string
          scan_options?: NonNullable<Json>
          status?: string
          updated_at?: string
        }
        Update: {
          created_at?: string
          domain_count?: number
          id?: string
          name?: string
          owner_clerk_id?: string
          scan_options?: NonNullable<Json>
          status?: string
          updated_at?: string
        }
        Relationships: []
      }
      code_generations: {
        Row: {
          base_branch: string | null
          base_commit: string | null
          branch: string
          checks: NonNullable<Json>
          commit_sha: string
          cost_micros: number
          created_at: string
          description: string
          files: NonNullable<Json>
          finished: boolean
          job_id: string
          left_out: NonNullable<Json>
          project_id: string
          pull_request_url: string | null
          repository: string
          sandbox: string
          summary: string
          turns: number
          unfinished_reason: string | null
        }
        Insert: {
          base_branch?: string | null
          base_commit?: string | null
          branch: string
          checks?: NonNullable<Json>
          commit_sha: string
          cost_micros: number
          created_at?: string
          description: string
          files?: NonNullable<Json>
          finished: boolean
          job_id: string
          left_out?: NonNullable<Json>
          project_id: string
          pull_request_url?: string | null
          repository: string
          sandbox: string
          summary?: string
          turns: number
          unfinished_reason?: string | null
        }
        Update: {
          base_branch?: string | null
          base_commit?: string | null
          branch?: string
          checks?: NonNullable<Json>
          commit_sha?: string
          cost_micros?: number
          created_at?: string
          description?: string
          files?: NonNullable<Json>
          finished?: boolean
          job_id?: string
          left_out?: NonNullable<Json>
          project_id?: string
          pull_request_url?: string | null
          repository?: string
          sandbox?: string
          summary?: string
          turns?: number
          unfinished_reason?: string | null
        }
        Relationships: [
          {
            foreignKeyName: "code_generations_job_id_fkey"
            columns: ["job_id"]
            isOneToOne: true
            referencedRelation: "agent_jobs"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "code_generations_project_id_fkey"
            columns: ["project_id"]
            isOneToOne: false
            referencedRelation: "projects"
            referencedColumns: ["id"]
          },
        ]
      }
      database_identity: {
        Row: {
          claim_floor: number
          identity: string
          name: string
          noted_at: string
        }
        Insert: {
          claim_floor?: number
          identity: string
          name: string
          noted_at?: string
        }
        Update: {
          claim_floor?: number
          identity?: string
          name?: string
          noted_at?: string
        }
        Relationships: []
      }
      database_restores: {
        Row: {
          did: NonNullable<Json>
          id: number
          identity_before: string | null
          restored_at: string
          restored_by: string
          restored_to: string
        }
        Insert: {
          did?: NonNullable<Json>
          id?: never
          identity_before?: string | null
          restored_at?: string
          restored_by: string
          restored_to: string
        }
        Update: {
          did?: NonNullable<Json>
          id?: never
          identity_before?: string | null
          restored_at?: string
          restored_by?: string
          restored_to?: string
        }
        Relationships: []
      }
      domain_scan_cache: {
        Row: {
          domain: string
          expires_at: string
          result: NonNullable<Json>
          updated_at: string
        }
        Insert: {
          domain: string
          expires_at: string
          result: NonNullable<Json>
          updated_at?: string
        }
        Update: {
          domain?: string
          expires_at?: string
          result?: NonNullable<Json>
          updated_at?: string
        }
        Relationships: []
      }
      drip_email_log: {
        Row: {
          attempts: number
          created_at: string
          digest_week: string | null
          email_type: string
          error: string | null
          id: string
          project_id: string | null
          resend_message_id: string | null
          status: string
          subject: string
          to_email: string
          user_id: string
        }
        Insert: {
          attempts?: number
          created_at?: string
          digest_week?: string | null
          email_type: string
          error?: string | null
          id?: string
          project_id?: string | null
          resend_message_id?: string | null
          status?: string
          subject: string
          to_email: string
          user_id: string
        }
        Update: {
          attempts?: number
          created_at?: string
          digest_week?: string | null
          email_type?: string
          error?: string | null
          id?: string
          project_id?: string | null
          resend_message_id?: string | null
          status?: string
          subject?: string
          to_email?: string
          user_id?: string
        }
        Relationships: [
          {
            foreignKeyName: "drip_email_log_project_id_fkey"
            columns: ["project_id"]
            isOneToOne: false
            referencedRelation: "projects"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "drip_email_log_user_id_fkey"
            columns: ["user_id"]
            isOneToOne: false
            referencedRelation: "users"
            referencedColumns: ["id"]
          },
        ]
      }
      email_jobs: {
        Row: {
          approval_id: string | null
          attempts: number
          begun_at: string | null
          begun_with: string | null
          category: string
          claim_no: number
          confirms_signup_id: string | null
          confirms_until: string | null
          counted_on: string | null
          created_at: string
          drip_id: string | null
          error: string | null
          html_body: string
          id: string
          leased_until: string | null
          link_marker: string | null
          locked_by: string | null
          outbox_key: string | null
          project_id: string
          provider_message_id: string | null
          reply_to: string | null
          scheduled_for: string
          sender: string
          sent_at: string | null
          status: string
          subject: string
          text_body: string | null
          to_email: string
          unsubscribe_reason: string | null
          vouched_at: string | null
          mail_in_doubt_since: string | null
        }
        Insert: {
          approval_id?: string | null
          attempts?: number
          begun_at?: string | null
          begun_with?: string | null
          category: string
          claim_no?: number
          confirms_signup_id?: string | null
          confirms_until?: string | null
          counted_on?: string | null
          created_at?: string
          drip_id?: string | null
          error?: string | null
          html_body: string
          id?: string
          leased_until?: string | null
          link_marker?: string | null
          locked_by?: string | null
          outbox_key?: string | null
          project_id: string
          provider_message_id?: string | null
          reply_to?: string | null
          scheduled_for: string
          sender?: string
          sent_at?: string | null
          status?: string
          subject: string
          text_body?: string | null
          to_email: string
          unsubscribe_reason?: string | null
          vouched_at?: string | null
        }
        Update: {
          approval_id?: string | null
          attempts?: number
          begun_at?: string | null
          begun_with?: string | null
          category?: string
          claim_no?: number
          confirms_signup_id?: string | null
          confirms_until?: string | null
          counted_on?: string | null
          created_at?: string
          drip_id?: string | null
          error?: string | null
          html_body?: string
          id?: string
          leased_until?: string | null
          link_marker?: string | null
          locked_by?: string | null
          outbox_key?: string | null
          project_id?: string
          provider_message_id?: string | null
          reply_to?: string | null
          scheduled_for?: string
          sender?: string
          sent_at?: string | null
          status?: string
          subject?: string
          text_body?: string | null
          to_email?: string
          unsubscribe_reason?: string | null
          vouched_at?: string | null
        }
        Relationships: [
          {
            foreignKeyName: "email_jobs_approval_id_fkey"
            columns: ["approval_id"]
            isOneToOne: false
            referencedRelation: "approval_queue"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "email_jobs_drip_id_fkey"
            columns: ["drip_id"]
            isOneToOne: false
            referencedRelation: "drip_email_log"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "email_jobs_project_id_fkey"
            columns: ["project_id"]
            isOneToOne: false
            referencedRelation: "projects"
            referencedColumns: ["id"]
          },
        ]
      }
      email_sequences: {
        Row: {
          approval_id: string
          category: string
          created_at: string
          emails: NonNullable<Json>
          ended_at: string | null
          marker: string
          project_id: string
          reply_to: string | null
        }
        Insert: {
          approval_id: string
          category: string
          created_at?: string
          emails?: NonNullable<Json>
          ended_at?: string | null
          marker: string
          project_id: string
          reply_to?: string | null
        }
        Update: {
          approval_id?: string
          category?: string
          created_at?: string
          emails?: NonNullable<Json>
          ended_at?: string | null
          marker?: string
          project_id?: string
          reply_to?: string | null
        }
        Relationships: [
          {
            foreignKeyName: "email_sequences_approval_id_fkey"
            columns: ["approval_id"]
            isOneToOne: true
            referencedRelation: "approval_queue"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "email_sequences_project_id_fkey"
            columns: ["project_id"]
            isOneToOne: false
            referencedRelation: "projects"
            referencedColumns: ["id"]
          },
        ]
      }
      email_suppressions: {
        Row: {
          created_at: string
          email: string
          id: string
          project_id: string | null
          reason: string
        }
        Insert: {
          created_at?: string
          email: string
          id?: string
          project_id?: string | null
          reason: string
        }
        Update: {
          created_at?: string
          email?: string
          id?: string
          project_id?: string | null
          reason?: string
        }
        Relationships: [
          {
            foreignKeyName: "email_suppressions_project_id_fkey"
            columns: ["project_id"]
            isOneToOne: false
            referencedRelation: "projects"
            referencedColumns: ["id"]
          },
        ]
      }
      github_connections: {
        Row: {
          avatar: string | null
          clerk_id: string
          connected_at: string
          github_id: string | null
          github_token: string
          id: string
          scopes: string | null
          username: string | null
        }
        Insert: {
          avatar?: string | null
          clerk_id: string
          connected_at?: string
          github_id?: string | null
          github_token: string
          id?: string
          scopes?: string | null
          username?: string | null
        }
        Update: {
          avatar?: string | null
          clerk_id?: string
          connected_at?: string
          github_id?: string | null
          github_token?: string
          id?: string
          scopes?: string | null
          username?: string | null
        }
        Relationships: []
      }
      inbound_email_messages: {
        Row: {
          created_at: string
          email_identity_id: string | null
          from_email: string
          html_body: string | null
          id: string
          payload: NonNullable<Json>
          processed_at: string | null
          project_id: string
          provider: string
          provider_message_id: string | null
          received_at: string
          status: string
          subject: string | null
          text_body: string | null
          to_email: string
        }
        Insert: {
          created_at?: string
          email_identity_id?: string | null
          from_email: string
          html_body?: string | null
          id?: string
          payload?: NonNullable<Json>
          processed_at?: string | null
          project_id: string
          provider: string
          provider_message_id?: string | null
          received_at?: string
          status?: string
          subject?: string | null
          text_body?: string | null
          to_email: string
        }
        Update: {
          created_at?: string
          email_identity_id?: string | null
          from_email?: string
          html_body?: string | null
          id?: string
          payload?: NonNullable<Json>
          processed_at?: string | null
          project_id?: string
          provider?: string
          provider_message_id?: string | null
          received_at?: string
          status?: string
          subject?: string | null
          text_body?: string | null
          to_email?: string
        }
        Relationships: [
          {
            foreignKeyName: "inbound_email_messages_email_identity_id_fkey"
            columns: ["email_identity_id"]
            isOneToOne: false
            referencedRelation: "project_email_identities"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "inbound_email_messages_project_id_fkey"
            columns: ["project_id"]
            isOneToOne: false
            referencedRelation: "projects"
            referencedColumns: ["id"]
          },
        ]
      }
      model_calls: {
        Row: {
          agent: string
          claim_no: number | null
          cost_micros: number | null
          created_at: string
          duration_ms: number | null
          error: string | null
          id: string
          input_tokens: number | null
          job_id: string | null
          model: string
          output_tokens: number | null
          project_id: string
          reserved_micros: number
          reserved_tokens: number
          searches: number | null
          settled_at: string | null
          status: string
          step: string
        }
        Insert: {
          agent: string
          claim_no?: number | null
          cost_micros?: number | null
          created_at?: string
          duration_ms?: number | null
          error?: string | null
          id?: string
          input_tokens?: number | null
          job_id?: string | null
          model: string
          output_tokens?: number | null
          project_id: string
          reserved_micros: number
          reserved_tokens: number
          searches?: number | null
          settled_at?: string | null
          status?: string
          step: string
        }
        Update: {
          agent?: string
          claim_no?: number | null
          cost_micros?: number | null
          created_at?: string
          duration_ms?: number | null
          error?: string | null
          id?: string
          input_tokens?: number | null
          job_id?: string | null
          model?: string
          output_tokens?: number | null
          project_id?: string
          reserved_micros?: number
          reserved_tokens?: number
          searches?: number | null
          settled_at?: string | null
          status?: string
          step?: string
        }
        Relationships: [
          {
            foreignKeyName: "model_calls_job_id_fkey"
            columns: ["job_id"]
            isOneToOne: false
            referencedRelation: "agent_jobs"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "model_calls_project_id_fkey"
            columns: ["project_id"]
            isOneToOne: false
            referencedRelation: "projects"
            referencedColumns: ["id"]
          },
        ]
      }
      outbox: {
        Row: {
          approval_id: string | null
          attempts: number
          claim_no: number | null
          created_at: string
          effect: string
          error: string | null
          execution_id: string | null
          id: string
          idempotency_key: string
          job_id: string | null
          note: string | null
          project_id: string
          provider: string
          provider_id: string | null
          request: NonNullable<Json>
          request_sha256: string | null
          resolved_at: string | null
          resolved_by: string | null
          response: Json | null
          sent_at: string | null
          settled_at: string | null
          status: string
          updated_at: string
        }
        Insert: {
          approval_id?: string | null
          attempts?: number
          claim_no?: number | null
          created_at?: string
          effect: string
          error?: string | null
          execution_id?: string | null
          id?: string
          idempotency_key: string
          job_id?: string | null
          note?: string | null
          project_id: string
          provider: string
          provider_id?: string | null
          request?: NonNullable<Json>
          request_sha256?: string | null
          resolved_at?: string | null
          resolved_by?: string | null
          response?: Json | null
          sent_at?: string | null
          settled_at?: string | null
          status?: string
          updated_at?: string
        }
        Update: {
          approval_id?: string | null
          attempts?: number
          claim_no?: number | null
          created_at?: string
          effect?: string
          error?: string | null
          execution_id?: string | null
          id?: string
          idempotency_key?: string
          job_id?: string | null
          note?: string | null
          project_id?: string
          provider?: string
          provider_id?: string | null
          request?: NonNullable<Json>
          request_sha256?: string | null
          resolved_at?: string | null
          resolved_by?: string | null
          response?: Json | null
          sent_at?: string | null
          settled_at?: string | null
          status?: string
          updated_at?: string
        }
        Relationships: [
          {
            foreignKeyName: "outbox_approval_id_fkey"
            columns: ["approval_id"]
            isOneToOne: false
            referencedRelation: "approval_queue"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "outbox_execution_id_fkey"
            columns: ["execution_id"]
            isOneToOne: false
            referencedRelation: "action_executions"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "outbox_job_id_fkey"
            columns: ["job_id"]
            isOneToOne: false
            referencedRelation: "agent_jobs"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "outbox_project_id_fkey"
            columns: ["project_id"]
            isOneToOne: false
            referencedRelation: "projects"
            referencedColumns: ["id"]
          },
        ]
      }
      packet_share_links: {
        Row: {
          created_at: string
          created_by: string | null
          expires_at: string
          id: string
          packet_version_id: string | null
          project_id: string
          revoked_at: string | null
          token: string
        }
        Insert: {
          created_at?: string
          created_by?: string | null
          expires_at?: string
          id?: string
          packet_version_id?: string | null
          project_id: string
          revoked_at?: string | null
          token: string
        }
        Update: {
          created_at?: string
          created_by?: string | null
          expires_at?: string
          id?: string
          packet_version_id?: string | null
          project_id?: string
          revoked_at?: string | null
          token?: string
        }
        Relationships: [
          {
            foreignKeyName: "packet_share_links_packet_version_id_fkey"
            columns: ["packet_version_id"]
            isOneToOne: false
            referencedRelation: "phase_packet_versions"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "packet_share_links_project_id_fkey"
            columns: ["project_id"]
            isOneToOne: false
            referencedRelation: "projects"
            referencedColumns: ["id"]
          },
        ]
      }
      page_checks: {
        Row: {
          checked_at: string
          created_at: string
          desktop_asset_id: string | null
          final_url: string | null
          job_id: string
          mobile_asset_id: string | null
          passed: boolean
          project_id: string
          publication_no: number | null
          results: NonNullable<Json>
          url: string
        }
        Insert: {
          checked_at?: string
          created_at?: string
          desktop_asset_id?: string | null
          final_url?: string | null
          job_id: string
          mobile_asset_id?: string | null
          passed: boolean
          project_id: string
          publication_no?: number | null
          results: NonNullable<Json>
          url: string
        }
        Update: {
          checked_at?: string
          created_at?: string
          desktop_asset_id?: string | null
          final_url?: string | null
          job_id?: string
          mobile_asset_id?: string | null
          passed?: boolean
          project_id?: string
          publication_no?: number | null
          results?: NonNullable<Json>
          url?: string
        }
        Relationships: [
          {
            foreignKeyName: "page_checks_desktop_asset_id_fkey"
            columns: ["desktop_asset_id"]
            isOneToOne: false
            referencedRelation: "project_assets"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "page_checks_job_id_fkey"
            columns: ["job_id"]
            isOneToOne: true
            referencedRelation: "agent_jobs"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "page_checks_mobile_asset_id_fkey"
            columns: ["mobile_asset_id"]
            isOneToOne: false
            referencedRelation: "project_assets"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "page_checks_project_id_fkey"
            columns: ["project_id"]
            isOneToOne: false
            referencedRelation: "projects"
            referencedColumns: ["id"]
          },
        ]
      }
      page_publications: {
        Row: {
          approval_id: string | null
          asset_id: string | null
          content_hash: string
          created_at: string
          html: string
          id: string
          live_url: string
          project_id: string
          publication_no: number
          published_at: string
          published_by: string
          restores_no: number | null
          withdrawn_at: string | null
        }
        Insert: {
          approval_id?: string | null
          asset_id?: string | null
          content_hash: string
          created_at?: string
          html: string
          id?: string
          live_url: string
          project_id: string
          publication_no: number
          published_at?: string
          published_by: string
          restores_no?: number | null
          withdrawn_at?: string | null
        }
        Update: {
          approval_id?: string | null
          asset_id?: string | null
          content_hash?: string
          created_at?: string
          html?: string
          id?: string
          live_url?: string
          project_id?: string
          publication_no?: number
          published_at?: string
          published_by?: string
          restores_no?: number | null
          withdrawn_at?: string | null
        }
        Relationships: [
          {
            foreignKeyName: "page_publications_approval_id_fkey"
            columns: ["approval_id"]
            isOneToOne: false
            referencedRelation: "approval_queue"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "page_publications_asset_id_fkey"
            columns: ["asset_id"]
            isOneToOne: false
            referencedRelation: "project_assets"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "page_publications_project_id_fkey"
            columns: ["project_id"]
            isOneToOne: false
            referencedRelation: "projects"
            referencedColumns: ["id"]
          },
        ]
      }
      page_snapshots: {
        Row: {
          asset_id: string | null
          created_at: string
          id: string
          job_id: string | null
          project_id: string
          retrieved_at: string
          retrieved_by: string
          text_chars: number
          text_sha256: string
          title: string
          url: string
        }
        Insert: {
          asset_id?: string | null
          created_at?: string
          id?: string
          job_id?: string | null
          project_id: string
          retrieved_at?: string
          retrieved_by: string
          text_chars: number
          text_sha256: string
          title: string
          url: string
        }
        Update: {
          asset_id?: string | null
          created_at?: string
          id?: string
          job_id?: string | null
          project_id?: string
          retrieved_at?: string
          retrieved_by?: string
          text_chars?: number
          text_sha256?: string
          title?: string
          url?: string
        }
        Relationships: [
          {
            foreignKeyName: "page_snapshots_asset_id_fkey"
            columns: ["asset_id"]
            isOneToOne: false
            referencedRelation: "project_assets"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "page_snapshots_job_id_fkey"
            columns: ["job_id"]
            isOneToOne: false
            referencedRelation: "agent_jobs"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "page_snapshots_project_id_fkey"
            columns: ["project_id"]
            isOneToOne: false
            referencedRelation: "projects"
            referencedColumns: ["id"]
          },
        ]
      }
      page_visits: {
        Row: {
          day: string
          project_id: string
          visitor: string
        }
        Insert: {
          day: string
          project_id: string
          visitor: string
        }
        Update: {
          day?: string
          project_id?: string
          visitor?: string
        }
        Relationships: [
          {
            foreignKeyName: "page_visits_project_id_fkey"
            columns: ["project_id"]
            isOneToOne: false
            referencedRelation: "projects"
            referencedColumns: ["id"]
          },
        ]
      }
      phase_packet_versions: {
        Row: {
          claim_no: number | null
          confidence: number
          cost_micros: number | null
          created_at: string
          id: string
          input_tokens: number | null
          model: string | null
          output_tokens: number | null
          packet: NonNullable<Json>
          phase: number
          project_id: string
          prompt_version: string | null
          provenance: NonNullable<Json>
          source_job_id: string | null
          synopsis: NonNullable<Json>
          version: number
        }
        Insert: {
          claim_no?: number | null
          confidence: number
          cost_micros?: number | null
          created_at?: string
          id?: string
          input_tokens?: number | null
          model?: string | null
          output_tokens?: number | null
          packet: NonNullable<Json>
          phase: number
          project_id: string
          prompt_version?: string | null
          provenance?: NonNullable<Json>
          source_job_id?: string | null
          synopsis: NonNullable<Json>
          version: number
        }
        Update: {
          claim_no?: number | null
          confidence?: number
          cost_micros?: number | null
          created_at?: string
          id?: string
          input_tokens?: number | null
          model?: string | null
          output_tokens?: number | null
          packet?: NonNullable<Json>
          phase?: number
          project_id?: string
          prompt_version?: string | null
          provenance?: NonNullable<Json>
          source_job_id?: string | null
          synopsis?: NonNullable<Json>
          version?: number
        }
        Relationships: [
          {
            foreignKeyName: "phase_packet_versions_project_id_fkey"
            columns: ["project_id"]
            isOneToOne: false
            referencedRelation: "projects"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "phase_packet_versions_source_job_id_fkey"
            columns: ["source_job_id"]
            isOneToOne: false
            referencedRelation: "agent_jobs"
            referencedColumns: ["id"]
          },
        ]
      }
      phase_packets: {
        Row: {
          ceo_recommendation: string | null
          confidence: number
          confidence_score: number
          created_at: string
          deliverables: Json | null
          id: string
          packet: NonNullable<Json>
          packet_data: NonNullable<Json>
          phase: number
          project_id: string
          reasoning_synopsis: NonNullable<Json>
          synopsis: NonNullable<Json>
          updated_at: string
          version: number
          version_id: string
        }
        Insert: {
          ceo_recommendation?: string | null
          confidence: number
          confidence_score: number
          created_at?: string
          deliverables?: Json | null
          id?: string
          packet: NonNullable<Json>
          packet_data: NonNullable<Json>
          phase: number
          project_id: string
          reasoning_synopsis: NonNullable<Json>
          synopsis: NonNullable<Json>
          updated_at?: string
          version: number
          version_id: string
        }
        Update: {
          ceo_recommendation?: string | null
          confidence?: number
          confidence_score?: number
          created_at?: string
          deliverables?: Json | null
          id?: string
          packet?: NonNullable<Json>
          packet_data?: NonNullable<Json>
          phase?: number
          project_id?: string
          reasoning_synopsis?: NonNullable<Json>
          synopsis?: NonNullable<Json>
          updated_at?: string
          version?: number
          version_id?: string
        }
        Relationships: [
          {
            foreignKeyName: "phase_packets_project_id_fkey"
            columns: ["project_id"]
            isOneToOne: false
            referencedRelation: "projects"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "phase_packets_version_id_fkey"
            columns: ["version_id"]
            isOneToOne: false
            referencedRelation: "phase_packet_versions"
            referencedColumns: ["id"]
          },
        ]
      }
      pipeline_issues: {
        Row: {
          count: number
          error_class: string
          error_type: string
          fingerprint: string
          first_seen: string
          last_seen: string
          last_span_id: string | null
          last_trace_id: string | null
          message: string
          normalised: string
          place: string | null
          reopened_at: string | null
          reopened_by: string | null
          reopened_count: number
          resolved_at: string | null
          resolved_by: string | null
          status: string
        }
        Insert: {
          count?: number
          error_class?: string
          error_type?: string
          fingerprint: string
          first_seen?: string
          last_seen?: string
          last_span_id?: string | null
          last_trace_id?: string | null
          message?: string
          normalised?: string
          place?: string | null
          reopened_at?: string | null
          reopened_by?: string | null
          reopened_count?: number
          resolved_at?: string | null
          resolved_by?: string | null
          status?: string
        }
        Update: {
          count?: number
          error_class?: string
          error_type?: string
          fingerprint?: string
          first_seen?: string
          last_seen?: string
          last_span_id?: string | null
          last_trace_id?: string | null
          message?: string
          normalised?: string
          place?: string | null
          reopened_at?: string | null
          reopened_by?: string | null
          reopened_count?: number
          resolved_at?: string | null
          resolved_by?: string | null
          status?: string
        }
        Relationships: []
      }
      pipeline_spans: {
        Row: {
          attributes: NonNullable<Json>
          cache_read_tokens: number | null
          cache_write_tokens: number | null
          category: string
          cost_micros: number | null
          created_at: string
          duration_ms: number | null
          end_time: string | null
          error: string | null
          error_class: string | null
          error_type: string | null
          events: NonNullable<Json>
          fingerprint: string | null
          first_token_ms: number | null
          input_data: Json | null
          input_sha256: string | null
          input_size: number | null
          input_tokens: number | null
          model: string | null
          output_data: Json | null
          output_sha256: string | null
          output_size: number | null
          output_tokens: number | null
          parent_span_id: string | null
          pipeline_name: string
          project_id: string | null
          retries: number | null
          self_ms: number | null
          span_id: string
          span_name: string
          stack: string | null
          start_time: string
          status: string
          success: boolean | null
          trace_id: string
        }
        Insert: {
          attributes?: NonNullable<Json>
          cache_read_tokens?: number | null
          cache_write_tokens?: number | null
          category?: never
          cost_micros?: number | null
          created_at?: string
          duration_ms?: number | null
          end_time?: string | null
          error?: string | null
          error_class?: string | null
          error_type?: string | null
          events?: NonNullable<Json>
          fingerprint?: string | null
          first_token_ms?: number | null
          input_data?: Json | null
          input_sha256?: string | null
          input_size?: number | null
          input_tokens?: number | null
          model?: string | null
          output_data?: Json | null
          output_sha256?: string | null
          output_size?: number | null
          output_tokens?: number | null
          parent_span_id?: string | null
          pipeline_name?: string
          project_id?: string | null
          retries?: number | null
          self_ms?: number | null
          span_id: string
          span_name: string
          stack?: string | null
          start_time: string
          status?: string
          success?: boolean | null
          trace_id: string
        }
        Update: {
          attributes?: NonNullable<Json>
          cache_read_tokens?: number | null
          cache_write_tokens?: number | null
          category?: never
          cost_micros?: number | null
          created_at?: string
          duration_ms?: number | null
          end_time?: string | null
          error?: string | null
          error_class?: string | null
          error_type?: string | null
          events?: NonNullable<Json>
          fingerprint?: string | null
          first_token_ms?: number | null
          input_data?: Json | null
          input_sha256?: string | null
          input_size?: number | null
          input_tokens?: number | null
          model?: string | null
          output_data?: Json | null
          output_sha256?: string | null
          output_size?: number | null
          output_tokens?: number | null
          parent_span_id?: string | null
          pipeline_name?: string
          project_id?: string | null
          retries?: number | null
          self_ms?: number | null
          span_id?: string
          span_name?: string
          stack?: string | null
          start_time?: string
          status?: string
          success?: boolean | null
          trace_id?: string
        }
        Relationships: []
      }
      pipeline_traces: {
        Row: {
          attempt: number | null
          attributes: NonNullable<Json>
          claim_no: number | null
          cost_micros: number
          created_at: string
          dagster_run_id: string | null
          dropped_spans: number
          duration_ms: number | null
          end_time: string | null
          error: string | null
          error_class: string | null
          error_type: string | null
          fingerprint: string | null
          input_tokens: number
          job_id: string | null
          kind: string
          lane: string | null
          launch_ms: number | null
          model_calls: number
          outcome: string | null
          output_tokens: number
          owner_clerk_id: string | null
          pipeline_name: string
          project_id: string | null
          queue_ms: number | null
          span_count: number
          start_time: string
          status: string
          subject: string | null
          success: boolean | null
          trace_id: string
        }
        Insert: {
          attempt?: number | null
          attributes?: NonNullable<Json>
          claim_no?: number | null
          cost_micros?: number
          created_at?: string
          dagster_run_id?: string | null
          dropped_spans?: number
          duration_ms?: number | null
          end_time?: string | null
          error?: string | null
          error_class?: string | null
          error_type?: string | null
          fingerprint?: string | null
          input_tokens?: number
          job_id?: string | null
          kind?: string
          lane?: string | null
          launch_ms?: number | null
          model_calls?: number
          outcome?: string | null
          output_tokens?: number
          owner_clerk_id?: string | null
          pipeline_name: string
          project_id?: string | null
          queue_ms?: number | null
          span_count?: number
          start_time: string
          status?: string
          subject?: string | null
          success?: boolean | null
          trace_id: string
        }
        Update: {
          attempt?: number | null
          attributes?: NonNullable<Json>
          claim_no?: number | null
          cost_micros?: number
          created_at?: string
          dagster_run_id?: string | null
          dropped_spans?: number
          duration_ms?: number | null
          end_time?: string | null
          error?: string | null
          error_class?: string | null
          error_type?: string | null
          fingerprint?: string | null
          input_tokens?: number
          job_id?: string | null
          kind?: string
          lane?: string | null
          launch_ms?: number | null
          model_calls?: number
          outcome?: string | null
          output_tokens?: number
          owner_clerk_id?: string | null
          pipeline_name?: string
          project_id?: string | null
          queue_ms?: number | null
          span_count?: number
          start_time?: string
          status?: string
          subject?: string | null
          success?: boolean | null
          trace_id?: string
        }
        Relationships: [
          {
            foreignKeyName: "pipeline_traces_project_id_fkey"
            columns: ["project_id"]
            isOneToOne: false
            referencedRelation: "projects"
            referencedColumns: ["id"]
          },
        ]
      }
      project_analytics_events: {
        Row: {
          created_at: string
          currency: string | null
          event_name: string
          event_type: string
          id: string
          occurred_at: string
          project_id: string
          properties: NonNullable<Json>
          source: string
          value_numeric: number | null
          value_text: string | null
        }
        Insert: {
          created_at?: string
          currency?: string | null
          event_name: string
          event_type?: string
          id?: string
          occurred_at?: string
          project_id: string
          properties?: NonNullable<Json>
          source?: string
          value_numeric?: number | null
          value_text?: string | null
        }
        Update: {
          created_at?: string
          currency?: string | null
          event_name?: string
          event_type?: string
          id?: string
          occurred_at?: string
          project_id?: string
          properties?: NonNullable<Json>
          source?: string
          value_numeric?: number | null
          value_text?: string | null
        }
        Relationships: [
          {
            foreignKeyName: "project_analytics_events_project_id_fkey"
            columns: ["project_id"]
            isOneToOne: false
            referencedRelation: "projects"
            referencedColumns: ["id"]
          },
        ]
      }
      project_assets: {
        Row: {
          created_at: string
          created_by: string | null
          filename: string
          id: string
          kind: string
          metadata: NonNullable<Json>
          mime_type: string | null
          phase: number | null
          project_id: string
          size_bytes: number | null
          status: string
          storage_bucket: string
          storage_path: string
        }
        Insert: {
          created_at?: string
          created_by?: string | null
          filename: string
          id?: string
          kind: string
          metadata?: NonNullable<Json>
          mime_type?: string | null
          phase?: number | null
          project_id: string
          size_bytes?: number | null
          status?: string
          storage_bucket?: string
          storage_path: string
        }
        Update: {
          created_at?: string
          created_by?: string | null
          filename?: string
          id?: string
          kind?: string
          metadata?: NonNullable<Json>
          mime_type?: string | null
          phase?: number | null
          project_id?: string
          size_bytes?: number | null
          status?: string
          storage_bucket?: string
          storage_path?: string
        }
        Relationships: [
          {
            foreignKeyName: "project_assets_project_id_fkey"
            columns: ["project_id"]
            isOneToOne: false
            referencedRelation: "projects"
            referencedColumns: ["id"]
          },
        ]
      }
      project_audit_log: {
        Row: {
          actor: string
          after: NonNullable<Json>
          before: NonNullable<Json>
          created_at: string
          details: NonNullable<Json>
          id: string
          project_id: string
          reason: string | null
          what: string
        }
        Insert: {
          actor: string
          after: NonNullable<Json>
          before: NonNullable<Json>
          created_at?: string
          details?: NonNullable<Json>
          id?: string
          project_id: string
          reason?: string | null
          what: string
        }
        Update: {
          actor?: string
          after?: NonNullable<Json>
          before?: NonNullable<Json>
          created_at?: string
          details?: NonNullable<Json>
          id?: string
          project_id?: string
          reason?: string | null
          what?: string
        }
        Relationships: [
          {
            foreignKeyName: "project_audit_log_project_id_fkey"
            columns: ["project_id"]
            isOneToOne: false
            referencedRelation: "projects"
            referencedColumns: ["id"]
          },
        ]
      }
      project_brain_documents: {
        Row: {
          created_at: string
          last_event_id: string | null
          memory_markdown: string
          memory_version: number
          mission_markdown: string
          project_id: string
          updated_at: string
        }
        Insert: {
          created_at?: string
          last_event_id?: string | null
          memory_markdown: string
          memory_version?: number
          mission_markdown: string
          project_id: string
          updated_at?: string
        }
        Update: {
          created_at?: string
          last_event_id?: string | null
          memory_markdown?: string
          memory_version?: number
          mission_markdown?: string
          project_id?: string
          updated_at?: string
        }
        Relationships: [
          {
            foreignKeyName: "project_brain_documents_last_event_id_fkey"
            columns: ["last_event_id"]
            isOneToOne: false
            referencedRelation: "project_events"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "project_brain_documents_project_id_fkey"
            columns: ["project_id"]
            isOneToOne: true
            referencedRelation: "projects"
            referencedColumns: ["id"]
          },
        ]
      }
      project_brain_updates: {
        Row: {
          completed_at: string | null
          created_at: string
          error: string | null
          id: string
          input_event_count: number
          project_id: string
          reason: string
          started_at: string | null
          status: string
          trigger_event_id: string | null
        }
        Insert: {
          completed_at?: string | null
          created_at?: string
          error?: string | null
          id?: string
          input_event_count?: number
          project_id: string
          reason: string
          started_at?: string | null
          status?: string
          trigger_event_id?: string | null
        }
        Update: {
          completed_at?: string | null
          created_at?: string
          error?: string | null
          id?: string
          input_event_count?: number
          project_id?: string
          reason?: string
          started_at?: string | null
          status?: string
          trigger_event_id?: string | null
        }
        Relationships: [
          {
            foreignKeyName: "project_brain_updates_project_id_fkey"
            columns: ["project_id"]
            isOneToOne: false
            referencedRelation: "projects"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "project_brain_updates_trigger_event_id_fkey"
            columns: ["trigger_event_id"]
            isOneToOne: false
            referencedRelation: "project_events"
            referencedColumns: ["id"]
          },
        ]
      }
      project_budgets: {
        Row: {
          calls: number
          cap_calls: number | null
          cap_micros: number | null
          cap_tokens: number | null
          created_at: string
          project_id: string
          reserved_micros: number
          reserved_tokens: number
          spent_micros: number
          spent_tokens: number
          updated_at: string
        }
        Insert: {
          calls?: number
          cap_calls?: number | null
          cap_micros?: number | null
          cap_tokens?: number | null
          created_at?: string
          project_id: string
          reserved_micros?: number
          reserved_tokens?: number
          spent_micros?: number
          spent_tokens?: number
          updated_at?: string
        }
        Update: {
          calls?: number
          cap_calls?: number | null
          cap_micros?: number | null
          cap_tokens?: number | null
          created_at?: string
          project_id?: string
          reserved_micros?: number
          reserved_tokens?: number
          spent_micros?: number
          spent_tokens?: number
          updated_at?: string
        }
        Relationships: [
          {
            foreignKeyName: "project_budgets_project_id_fkey"
            columns: ["project_id"]
            isOneToOne: true
            referencedRelation: "projects"
            referencedColumns: ["id"]
          },
        ]
      }
      project_chat_messages: {
        Row: {
          approval_id: string | null
          content: string
          created_at: string
          id: string
          job_id: string | null
          owner_clerk_id: string
          project_id: string
          reply_to: string | null
          role: string
          stopped: boolean
          suggestion: Json | null
          suggestion_note: string | null
          suggestion_state: string | null
        }
        Insert: {
          approval_id?: string | null
          content: string
          created_at?: string
          id?: string
          job_id?: string | null
          owner_clerk_id: string
          project_id: string
          reply_to?: string | null
          role: string
          stopped?: boolean
          suggestion?: Json | null
          suggestion_note?: string | null
          suggestion_state?: string | null
        }
        Update: {
          approval_id?: string | null
          content?: string
          created_at?: string
          id?: string
          job_id?: string | null
          owner_clerk_id?: string
          project_id?: string
          reply_to?: string | null
          role?: string
          stopped?: boolean
          suggestion?: Json | null
          suggestion_note?: string | null
          suggestion_state?: string | null
        }
        Relationships: [
          {
            foreignKeyName: "project_chat_messages_approval_id_fkey"
            columns: ["approval_id"]
            isOneToOne: false
            referencedRelation: "approval_queue"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "project_chat_messages_job_id_fkey"
            columns: ["job_id"]
            isOneToOne: false
            referencedRelation: "agent_jobs"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "project_chat_messages_project_id_fkey"
            columns: ["project_id"]
            isOneToOne: false
            referencedRelation: "projects"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "project_chat_messages_reply_to_fkey"
            columns: ["reply_to"]
            isOneToOne: true
            referencedRelation: "project_chat_messages"
            referencedColumns: ["id"]
          },
        ]
      }
      project_creations: {
        Row: {
          created_at: string
          creation_key: string
          owner_clerk_id: string
          project_ids: string[]
          request_hash: string
        }
        Insert: {
          created_at?: string
          creation_key: string
          owner_clerk_id: string
          project_ids?: string[]
          request_hash: string
        }
        Update: {
          created_at?: string
          creation_key?: string
          owner_clerk_id?: string
          project_ids?: string[]
          request_hash?: string
        }
        Relationships: []
      }
      project_deployments: {
        Row: {
          deployed_at: string
          html_content: string
          metadata: NonNullable<Json>
          phase: number
          project_id: string
          status: string
          updated_at: string
        }
        Insert: {
          deployed_at?: string
          html_content: string
          metadata?: NonNullable<Json>
          phase?: number
          project_id: string
          status: string
          updated_at?: string
        }
        Update: {
          deployed_at?: string
          html_content?: string
          metadata?: NonNullable<Json>
          phase?: number
          project_id?: string
          status?: string
          updated_at?: string
        }
        Relationships: [
          {
            foreignKeyName: "project_deployments_project_id_fkey"
            columns: ["project_id"]
            isOneToOne: true
            referencedRelation: "projects"
            referencedColumns: ["id"]
          },
        ]
      }
      project_email_identities: {
        Row: {
          created_at: string
          id: string
          metadata: NonNullable<Json>
          project_id: string
          provider: string
          reply_address: string
          status: string
        }
        Insert: {
          created_at?: string
          id?: string
          metadata?: NonNullable<Json>
          project_id: string
          provider?: string
          reply_address: string
          status?: string
        }
        Update: {
          created_at?: string
          id?: string
          metadata?: NonNullable<Json>
          project_id?: string
          provider?: string
          reply_address?: string
          status?: string
        }
        Relationships: [
          {
            foreignKeyName: "project_email_identities_project_id_fkey"
            columns: ["project_id"]
            isOneToOne: true
            referencedRelation: "projects"
            referencedColumns: ["id"]
          },
        ]
      }
      project_event_counters: {
        Row: {
          last_seq: number
          project_id: string
        }
        Insert: {
          last_seq?: number
          project_id: string
        }
        Update: {
          last_seq?: number
          project_id?: string
        }
        Relationships: [
          {
            foreignKeyName: "project_event_counters_project_id_fkey"
            columns: ["project_id"]
            isOneToOne: true
            referencedRelation: "projects"
            referencedColumns: ["id"]
          },
        ]
      }
      project_events: {
        Row: {
          created_at: string
          data: NonNullable<Json>
          event_type: string
          id: string
          message: string | null
          project_id: string
        }
        Insert: {
          created_at?: string
          data?: NonNullable<Json>
          event_type: string
          id?: string
          message?: string | null
          project_id: string
        }
        Update: {
          created_at?: string
          data?: NonNullable<Json>
          event_type?: string
          id?: string
          message?: string | null
          project_id?: string
        }
        Relationships: [
          {
            foreignKeyName: "project_events_project_id_fkey"
            columns: ["project_id"]
            isOneToOne: false
            referencedRelation: "projects"
            referencedColumns: ["id"]
          },
        ]
      }
      project_integrations: {
        Row: {
          config_encrypted: string
          config_masked: NonNullable<Json>
          created_at: string
          enabled: boolean
          id: string
          project_id: string
          provider: string
          updated_at: string
        }
        Insert: {
          config_encrypted: string
          config_masked?: NonNullable<Json>
          created_at?: string
          enabled?: boolean
          id?: string
          project_id: string
          provider: string
          updated_at?: string
        }
        Update: {
          config_encrypted?: string
          config_masked?: NonNullable<Json>
          created_at?: string
          enabled?: boolean
          id?: string
          project_id?: string
          provider?: string
          updated_at?: string
        }
        Relationships: [
          {
            foreignKeyName: "project_integrations_project_id_fkey"
            columns: ["project_id"]
            isOneToOne: false
            referencedRelation: "projects"
            referencedColumns: ["id"]
          },
        ]
      }
      project_payment_events: {
        Row: {
          amount_cents: number
          created_at: string
          currency: string
          event_type: string
          external_id: string | null
          id: string
          metadata: NonNullable<Json>
          occurred_at: string
          project_id: string
          provider: string
          status: string
        }
        Insert: {
          amount_cents?: number
          created_at?: string
          currency?: string
          event_type: string
          external_id?: string | null
          id?: string
          metadata?: NonNullable<Json>
          occurred_at?: string
          project_id: string
          provider: string
          status: string
        }
        Update: {
          amount_cents?: number
          created_at?: string
          currency?: string
          event_type?: string
          external_id?: string | null
          id?: string
          metadata?: NonNullable<Json>
          occurred_at?: string
          project_id?: string
          provider?: string
          status?: string
        }
        Relationships: [
          {
            foreignKeyName: "project_payment_events_project_id_fkey"
            columns: ["project_id"]
            isOneToOne: false
            referencedRelation: "projects"
            referencedColumns: ["id"]
          },
        ]
      }
      project_provisioning_jobs: {
        Row: {
          attempts: number
          created_at: string
          error: string | null
          id: string
          metadata: NonNullable<Json>
          project_id: string
          runtime_instance_id: string | null
          status: string
          step: string | null
          updated_at: string
        }
        Insert: {
          attempts?: number
          created_at?: string
          error?: string | null
          id?: string
          metadata?: NonNullable<Json>
          project_id: string
          runtime_instance_id?: string | null
          status?: string
          step?: string | null
          updated_at?: string
        }
        Update: {
          attempts?: number
          created_at?: string
          error?: string | null
          id?: string
          metadata?: NonNullable<Json>
          project_id?: string
          runtime_instance_id?: string | null
          status?: string
          step?: string | null
          updated_at?: string
        }
        Relationships: [
          {
            foreignKeyName: "project_provisioning_jobs_project_id_fkey"
            columns: ["project_id"]
            isOneToOne: false
            referencedRelation: "projects"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "project_provisioning_jobs_runtime_instance_id_fkey"
            columns: ["runtime_instance_id"]
            isOneToOne: false
            referencedRelation: "project_runtime_instances"
            referencedColumns: ["id"]
          },
        ]
      }
      project_recurring_tasks: {
        Row: {
          agent_key: string
          created_at: string
          created_by: string | null
          cron_expr: string
          enabled: boolean
          id: string
          job_type: string
          last_run_at: string | null
          next_run_at: string
          payload: NonNullable<Json>
          priority: number
          project_id: string
          task_key: string
          timezone: string
          updated_at: string
        }
        Insert: {
          agent_key: string
          created_at?: string
          created_by?: string | null
          cron_expr: string
          enabled?: boolean
          id?: string
          job_type: string
          last_run_at?: string | null
          next_run_at?: string
          payload?: NonNullable<Json>
          priority?: number
          project_id: string
          task_key: string
          timezone?: string
          updated_at?: string
        }
        Update: {
          agent_key?: string
          created_at?: string
          created_by?: string | null
          cron_expr?: string
          enabled?: boolean
          id?: string
          job_type?: string
          last_run_at?: string | null
          next_run_at?: string
          payload?: NonNullable<Json>
          priority?: number
          project_id?: string
          task_key?: string
          timezone?: string
          updated_at?: string
        }
        Relationships: [
          {
            foreignKeyName: "project_recurring_tasks_project_id_fkey"
            columns: ["project_id"]
            isOneToOne: false
            referencedRelation: "projects"
            referencedColumns: ["id"]
          },
        ]
      }
      project_runtime_instances: {
        Row: {
          created_at: string
          db_ref: string | null
          id: string
          last_error: string | null
          mode: string
          project_id: string
          provider: string | null
          repo_ref: string | null
          runtime_endpoint: string | null
          runtime_metadata: NonNullable<Json>
          status: string
          updated_at: string
        }
        Insert: {
          created_at?: string
          db_ref?: string | null
          id?: string
          last_error?: string | null
          mode?: string
          project_id: string
          provider?: string | null
          repo_ref?: string | null
          runtime_endpoint?: string | null
          runtime_metadata?: NonNullable<Json>
          status?: string
          updated_at?: string
        }
        Update: {
          created_at?: string
          db_ref?: string | null
          id?: string
          last_error?: string | null
          mode?: string
          project_id?: string
          provider?: string | null
          repo_ref?: string | null
          runtime_endpoint?: string | null
          runtime_metadata?: NonNullable<Json>
          status?: string
          updated_at?: string
        }
        Relationships: [
          {
            foreignKeyName: "project_runtime_instances_project_id_fkey"
            columns: ["project_id"]
            isOneToOne: true
            referencedRelation: "projects"
            referencedColumns: ["id"]
          },
        ]
      }
      project_runtime_secrets: {
        Row: {
          created_at: string
          id: string
          metadata: NonNullable<Json>
          project_id: string
          secret_key: string
          secret_ref: string
        }
        Insert: {
          created_at?: string
          id?: string
          metadata?: NonNullable<Json>
          project_id: string
          secret_key: string
          secret_ref: string
        }
        Update: {
          created_at?: string
          id?: string
          metadata?: NonNullable<Json>
          project_id?: string
          secret_key?: string
          secret_ref?: string
        }
        Relationships: [
          {
            foreignKeyName: "project_runtime_secrets_project_id_fkey"
            columns: ["project_id"]
            isOneToOne: false
            referencedRelation: "projects"
            referencedColumns: ["id"]
          },
        ]
      }
      projects: {
        Row: {
          batch_id: string | null
          brand_kit: Json | null
          created_at: string
          deploy_status: string
          domain: string | null
          email_daily_cap: number | null
          focus_areas: string[]
          id: string
          idea_description: string
          live_url: string | null
          name: string
          night_shift: boolean
          owner_clerk_id: string
          permissions: NonNullable<Json>
          phase: number
          quiet_hours_end: string | null
          quiet_hours_start: string | null
          repo_summary: Json | null
          repo_url: string | null
          runtime_mode: string
          scan_results: Json | null
          status: string
          timezone: string
          updated_at: string
          user_id: string | null
          wizard_state: NonNullable<Json>
        }
        Insert: {
          batch_id?: string | null
          brand_kit?: Json | null
          created_at?: string
          deploy_status?: string
          domain?: string | null
          email_daily_cap?: number | null
          focus_areas?: string[]
          id?: string
          idea_description: string
          live_url?: string | null
          name: string
          night_shift?: boolean
          owner_clerk_id: string
          permissions?: NonNullable<Json>
          phase?: number
          quiet_hours_end?: string | null
          quiet_hours_start?: string | null
          repo_summary?: Json | null
          repo_url?: string | null
          runtime_mode?: string
          scan_results?: Json | null
          status?: string
          timezone?: string
          updated_at?: string
          user_id?: string | null
          wizard_state?: NonNullable<Json>
        }
        Update: {
          batch_id?: string | null
          brand_kit?: Json | null
          created_at?: string
          deploy_status?: string
          domain?: string | null
          email_daily_cap?: number | null
          focus_areas?: string[]
          id?: string
          idea_description?: string
          live_url?: string | null
          name?: string
          night_shift?: boolean
          owner_clerk_id?: string
          permissions?: NonNullable<Json>
          phase?: number
          quiet_hours_end?: string | null
          quiet_hours_start?: string | null
          repo_summary?: Json | null
          repo_url?: string | null
          runtime_mode?: string
          scan_results?: Json | null
          status?: string
          timezone?: string
          updated_at?: string
          user_id?: string | null
          wizard_state?: NonNullable<Json>
        }
        Relationships: [
          {
            foreignKeyName: "projects_batch_id_fkey"
            columns: ["batch_id"]
            isOneToOne: false
            referencedRelation: "batches"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "projects_user_id_fkey"
            columns: ["user_id"]
            isOneToOne: false
            referencedRelation: "users"
            referencedColumns: ["id"]
          },
        ]
      }
      report_claims: {
        Row: {
          claim_no: number
          confidence: number
          created_at: string
          id: string
          job_id: string
          outcome: string
          project_id: string
          question: string
          quote: string | null
          reason: string | null
          snapshot_id: string | null
          statement: string
        }
        Insert: {
          claim_no: number
          confidence: number
          created_at?: string
          id?: string
          job_id: string
          outcome: string
          project_id: string
          question: string
          quote?: string | null
          reason?: string | null
          snapshot_id?: string | null
          statement: string
        }
        Update: {
          claim_no?: number
          confidence?: number
          created_at?: string
          id?: string
          job_id?: string
          outcome?: string
          project_id?: string
          question?: string
          quote?: string | null
          reason?: string | null
          snapshot_id?: string | null
          statement?: string
        }
        Relationships: [
          {
            foreignKeyName: "report_claims_job_id_fkey"
            columns: ["job_id"]
            isOneToOne: false
            referencedRelation: "agent_jobs"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "report_claims_project_id_fkey"
            columns: ["project_id"]
            isOneToOne: false
            referencedRelation: "projects"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "report_claims_snapshot_id_fkey"
            columns: ["snapshot_id"]
            isOneToOne: false
            referencedRelation: "page_snapshots"
            referencedColumns: ["id"]
          },
        ]
      }
      request_counts: {
        Row: {
          hits: number
          key: string
          scope: string
          window_start: string
        }
        Insert: {
          hits?: number
          key: string
          scope: string
          window_start: string
        }
        Update: {
          hits?: number
          key?: string
          scope?: string
          window_start?: string
        }
        Relationships: []
      }
      research_reports: {
        Row: {
          asset_id: string
          claims_marked: number
          claims_removed: number
          claims_supported: number
          contradictions: number
          cost_micros: number
          created_at: string
          format: string
          job_id: string
          nothing_found: boolean
          pages: number
          project_id: string
          questions: number
          sources: number
          summary: string
          title: string
          topic: string
        }
        Insert: {
          asset_id: string
          claims_marked: number
          claims_removed: number
          claims_supported: number
          contradictions: number
          cost_micros: number
          created_at?: string
          format: string
          job_id: string
          nothing_found: boolean
          pages: number
          project_id: string
          questions: number
          sources: number
          summary: string
          title: string
          topic: string
        }
        Update: {
          asset_id?: string
          claims_marked?: number
          claims_removed?: number
          claims_supported?: number
          contradictions?: number
          cost_micros?: number
          created_at?: string
          format?: string
          job_id?: string
          nothing_found?: boolean
          pages?: number
          project_id?: string
          questions?: number
          sources?: number
          summary?: string
          title?: string
          topic?: string
        }
        Relationships: [
          {
            foreignKeyName: "research_reports_asset_id_fkey"
            columns: ["asset_id"]
            isOneToOne: false
            referencedRelation: "project_assets"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "research_reports_job_id_fkey"
            columns: ["job_id"]
            isOneToOne: true
            referencedRelation: "agent_jobs"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "research_reports_project_id_fkey"
            columns: ["project_id"]
            isOneToOne: false
            referencedRelation: "projects"
            referencedColumns: ["id"]
          },
        ]
      }
      research_sources: {
        Row: {
          created_at: string
          id: string
          job_id: string | null
          project_id: string
          quote: string
          quote_sha256: string
          retrieved_at: string
          retrieved_by: string
          title: string | null
          url: string
        }
        Insert: {
          created_at?: string
          id?: string
          job_id?: string | null
          project_id: string
          quote: string
          quote_sha256: string
          retrieved_at?: string
          retrieved_by: string
          title?: string | null
          url: string
        }
        Update: {
          created_at?: string
          id?: string
          job_id?: string | null
          project_id?: string
          quote?: string
          quote_sha256?: string
          retrieved_at?: string
          retrieved_by?: string
          title?: string | null
          url?: string
        }
        Relationships: [
          {
            foreignKeyName: "research_sources_job_id_fkey"
            columns: ["job_id"]
            isOneToOne: false
            referencedRelation: "agent_jobs"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "research_sources_project_id_fkey"
            columns: ["project_id"]
            isOneToOne: false
            referencedRelation: "projects"
            referencedColumns: ["id"]
          },
        ]
      }
      run_outputs: {
        Row: {
          complete: boolean
          log_key: string
          stderr: string
          stdout: string
          stored_at: string
        }
        Insert: {
          complete?: boolean
          log_key: string
          stderr?: string
          stdout?: string
          stored_at?: string
        }
        Update: {
          complete?: boolean
          log_key?: string
          stderr?: string
          stdout?: string
          stored_at?: string
        }
        Relationships: []
      }
      run_takes: {
        Row: {
          ended_at: string | null
          ending: string | null
          host: string
          pid: number | null
          process_start: string | null
          run_id: string
          taken_at: string
          worker_id: string
        }
        Insert: {
          ended_at?: string | null
          ending?: string | null
          host: string
          pid?: number | null
          process_start?: string | null
          run_id: string
          taken_at?: string
          worker_id: string
        }
        Update: {
          ended_at?: string | null
          ending?: string | null
          host?: string
          pid?: number | null
          process_start?: string | null
          run_id?: string
          taken_at?: string
          worker_id?: string
        }
        Relationships: []
      }
      sign_in_links: {
        Row: {
          created_at: string
          expires_at: string
          owner_clerk_id: string
          token_hash: string
          used_at: string | null
        }
        Insert: {
          created_at?: string
          expires_at: string
          owner_clerk_id: string
          token_hash: string
          used_at?: string | null
        }
        Update: {
          created_at?: string
          expires_at?: string
          owner_clerk_id?: string
          token_hash?: string
          used_at?: string | null
        }
        Relationships: []
      }
      sign_in_sessions: {
        Row: {
          created_at: string
          expires_at: string
          id: string
          last_seen_at: string
          owner_clerk_id: string
          token_hash: string
          user_agent: string | null
        }
        Insert: {
          created_at?: string
          expires_at: string
          id?: string
          last_seen_at?: string
          owner_clerk_id: string
          token_hash: string
          user_agent?: string | null
        }
        Update: {
          created_at?: string
          expires_at?: string
          id?: string
          last_seen_at?: string
          owner_clerk_id?: string
          token_hash?: string
          user_agent?: string | null
        }
        Relationships: []
      }
      synthetic_baselines: {
        Row: {
          median_micros: number
          median_ms: number
          model: string
          n: number
          p95_ms: number
          samples_micros: number[]
          samples_ms: number[]
          scenario: string
          span_name: string
          updated_at: string
        }
        Insert: {
          median_micros?: number
          median_ms?: number
          model: string
          n?: number
          p95_ms?: number
          samples_micros?: number[]
          samples_ms?: number[]
          scenario: string
          span_name: string
          updated_at?: string
        }
        Update: {
          median_micros?: number
          median_ms?: number
          model?: string
          n?: number
          p95_ms?: number
          samples_micros?: number[]
          samples_ms?: number[]
          scenario?: string
          span_name?: string
          updated_at?: string
        }
        Relationships: []
      }
      synthetic_jobs: {
        Row: {
          created_at: string
          job_id: string
          must_fail: boolean
          run_id: string
          scenario: string
        }
        Insert: {
          created_at?: string
          job_id: string
          must_fail?: boolean
          run_id: string
          scenario: string
        }
        Update: {
          created_at?: string
          job_id?: string
          must_fail?: boolean
          run_id?: string
          scenario?: string
        }
        Relationships: [
          {
            foreignKeyName: "synthetic_jobs_job_id_fkey"
            columns: ["job_id"]
            isOneToOne: true
            referencedRelation: "agent_jobs"
            referencedColumns: ["id"]
          },
        ]
      }
      task_log: {
        Row: {
          created_at: string
          detail: string | null
          id: string
          project_id: string
          status: string
          step: string
        }
        Insert: {
          created_at?: string
          detail?: string | null
          id?: string
          project_id: string
          status: string
          step: string
        }
        Update: {
          created_at?: string
          detail?: string | null
          id?: string
          project_id?: string
          status?: string
          step?: string
        }
        Relationships: [
          {
            foreignKeyName: "task_log_project_id_fkey"
            columns: ["project_id"]
            isOneToOne: false
            referencedRelation: "projects"
            referencedColumns: ["id"]
          },
        ]
      }
      tasks: {
        Row: {
          agent: string
          completed_at: string | null
          created_at: string
          description: string
          detail: string | null
          error: string | null
          execution_log: Json | null
          id: string
          job_id: string | null
          project_id: string
          reasoning_synopsis: Json | null
          started_at: string | null
          status: string
        }
        Insert: {
          agent: string
          completed_at?: string | null
          created_at?: string
          description: string
          detail?: string | null
          error?: string | null
          execution_log?: Json | null
          id?: string
          job_id?: string | null
          project_id: string
          reasoning_synopsis?: Json | null
          started_at?: string | null
          status: string
        }
        Update: {
          agent?: string
          completed_at?: string | null
          created_at?: string
          description?: string
          detail?: string | null
          error?: string | null
          execution_log?: Json | null
          id?: string
          job_id?: string | null
          project_id?: string
          reasoning_synopsis?: Json | null
          started_at?: string | null
          status?: string
        }
        Relationships: [
          {
            foreignKeyName: "tasks_job_id_fkey"
            columns: ["job_id"]
            isOneToOne: false
            referencedRelation: "agent_jobs"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "tasks_project_id_fkey"
            columns: ["project_id"]
            isOneToOne: false
            referencedRelation: "projects"
            referencedColumns: ["id"]
          },
        ]
      }
      tenant_limits: {
        Row: {
          figure: number
          name: string
        }
        Insert: {
          figure: number
          name: string
        }
        Update: {
          figure?: number
          name?: string
        }
        Relationships: []
      }
      users: {
        Row: {
          clerk_id: string
          created_at: string
          email: string | null
          id: string
        }
        Insert: {
          clerk_id: string
          created_at?: string
          email?: string | null
          id?: string
        }
        Update: {
          clerk_id?: string
          created_at?: string
          email?: string | null
          id?: string
        }
        Relationships: []
      }
      visitor_salts: {
        Row: {
          day: string
          salt: string
        }
        Insert: {
          day: string
          salt?: string
        }
        Update: {
          day?: string
          salt?: string
        }
        Relationships: []
      }
      waitlist_checks: {
        Row: {
          arrived_at: string
          consent: NonNullable<Json>
          created_at: string
          email: string
          job_id: string
          project_id: string
          source: string
        }
        Insert: {
          arrived_at?: string
          consent?: NonNullable<Json>
          created_at?: string
          email: string
          job_id: string
          project_id: string
          source: string
        }
        Update: {
          arrived_at?: string
          consent?: NonNullable<Json>
          created_at?: string
          email?: string
          job_id?: string
          project_id?: string
          source?: string
        }
        Relationships: [
          {
            foreignKeyName: "waitlist_checks_job_id_fkey"
            columns: ["job_id"]
            isOneToOne: true
            referencedRelation: "agent_jobs"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "waitlist_checks_project_id_fkey"
            columns: ["project_id"]
            isOneToOne: false
            referencedRelation: "projects"
            referencedColumns: ["id"]
          },
        ]
      }
      waitlist_signups: {
        Row: {
          confirmed_at: string | null
          consent: NonNullable<Json>
          created_at: string
          email: string
          id: string
          letters: number
          letters_day: string | null
          letters_today: number
          metadata: NonNullable<Json>
          project_id: string
          source: string
          status: string
          unsubscribed_at: string | null
          updated_at: string
        }
        Insert: {
          confirmed_at?: string | null
          consent?: NonNullable<Json>
          created_at?: string
          email: string
          id?: string
          letters?: number
          letters_day?: string | null
          letters_today?: number
          metadata?: NonNullable<Json>
          project_id: string
          source?: string
          status?: string
          unsubscribed_at?: string | null
          updated_at?: string
        }
        Update: {
          confirmed_at?: string | null
          consent?: NonNullable<Json>
          created_at?: string
          email?: string
          id?: string
          letters?: number
          letters_day?: string | null
          letters_today?: number
          metadata?: NonNullable<Json>
          project_id?: string
          source?: string
          status?: string
          unsubscribed_at?: string | null
          updated_at?: string
        }
        Relationships: [
          {
            foreignKeyName: "waitlist_signups_project_id_fkey"
            columns: ["project_id"]
            isOneToOne: false
            referencedRelation: "projects"
            referencedColumns: ["id"]
          },
        ]
      }
      worker_heartbeats: {
        Row: {
          consecutive_poll_errors: number
          details: NonNullable<Json>
          heap_total_mb: number | null
          heap_used_mb: number | null
          jobs_processed: number
          last_seen_at: string
          rss_mb: number | null
          service_name: string
          started_at: string
          status: string
          updated_at: string
          worker_id: string
        }
        Insert: {
          consecutive_poll_errors?: number
          details?: NonNullable<Json>
          heap_total_mb?: number | null
          heap_used_mb?: number | null
          jobs_processed?: number
          last_seen_at?: string
          rss_mb?: number | null
          service_name?: string
          started_at?: string
          status: string
          updated_at?: string
          worker_id: string
        }
        Update: {
          consecutive_poll_errors?: number
          details?: NonNullable<Json>
          heap_total_mb?: number | null
          heap_used_mb?: number | null
          jobs_processed?: number
          last_seen_at?: string
          rss_mb?: number | null
          service_name?: string
          started_at?: string
          status?: string
          updated_at?: string
          worker_id?: string
        }
        Relationships: []
      }
    }
    Views: {
      outbox_entries: {
        Row: {
          approval_id: string | null
          attempts: number | null
          created_at: string | null
          error: string | null
          id: string | null
          idempotency_key: string | null
          kind: string | null
          project_id: string | null
          provider_id: string | null
          recipient: string | null
          sent_at: string | null
          status: string | null
          subject: string | null
        }
        Relationships: []
      }
    }
    Functions: {
      account_for_email: {
        Args: {
          p_error: string
          p_outcome: string
          p_project_id: string
          p_run: string
        }
        Returns: undefined
      }
      action_refusal: {
        Args: { p_action_type: string; p_project_id: string }
        Returns: string
      }
      after_restore: {
        Args: { p_by: string; p_claim_floor?: number; p_restored_to: string }
        Returns: Json
      }
      agent_job_trace_id: {
        Args: { p_claim_no: number; p_job_id: string }
        Returns: string
      }
      announce_agent_jobs: { Args: { p_ids: string[] }; Returns: undefined }
      append_agent_job_events: {
        Args: { p_claim_no?: number; p_events: Json; p_job_id: string }
        Returns: number
      }
      approvals_of_the_same: {
        Args: {
          p_action_type: string
          p_content_hash: string
          p_packet_version_id: string
          p_project_id: string
        }
        Returns: {
          action_type: string
          agent_source: string | null
          asset_id: string | null
          content_hash: string | null
          created_at: string
          decided_at: string | null
          decided_by: string | null
          description: string
          execution_job_id: string | null
          execution_status: string
          guidance: string | null
          id: string
          packet_id: string | null
          packet_version_id: string | null
          payload: NonNullable<Json>
          phase: number
          project_id: string
          resolved_at: string | null
          resolved_by: string | null
          risk: string
          risk_level: string
          status: string
          title: string
          type: string
          version: number
        }[]
        SetofOptions: {
          from: "*"
          to: "approval_queue"
          isOneToOne: false
          isSetofReturn: true
        }
      }
      begin_action_execution: {
        Args: { p_approval_id: string; p_claim_no: number; p_job_id: string }
        Returns: {
          detail: string
          execution_id: string
          outcome: string
          provider_response: Json
        }[]
      }
      begin_email: {
        Args: {
          p_again: string
          p_claim_no: number
          p_id: string
          p_lease: string
          p_run: string
          p_with: string
        }
        Returns: string
      }
      cancel_agent_job: {
        Args: { p_job_id: string; p_reason?: string }
        Returns: string
      }
      change_project_limits: {
        Args: {
          p_actor: string
          p_budget?: Json
          p_permissions?: Json
          p_project_id: string
          p_reason?: string
        }
        Returns: {
          budget: Json
          changed: boolean
          permissions: Json
          project_id: string
        }[]
      }
      claim_agent_job: {
        Args: {
          p_job_id: string
          p_lease: string
          p_run_id?: string
          p_worker_id: string
        }
        Returns: {
          agent_key: string
          attempts: number
          cancel_requested_at: string | null
          claim_no: number
          completed_at: string | null
          created_at: string
          dagster_run_id: string | null
          events_pruned_at: string | null
          id: string
          idempotency_key: string
          interruptions: number
          job_type: string
          lane: string
          last_error: string | null
          leased_until: string | null
          locked_at: string | null
          locked_by: string | null
          max_attempts: number
          payload: NonNullable<Json>
          payload_version: number
          priority: number
          project_id: string
          run_after: string
          started_at: string | null
          status: string
          waits_until: string | null
        }
        SetofOptions: {
          from: "*"
          to: "agent_jobs"
          isOneToOne: true
          isSetofReturn: false
        }
      }
      claim_agent_jobs: {
        Args: {
          p_known?: Json
          p_lane?: string
          p_lease?: string
          p_limit?: number
          p_owner_limit?: number
          p_project_limit?: number
          p_slots?: number
          p_worker_id: string
        }
        Returns: {
          agent_key: string
          attempts: number
          cancel_requested_at: string | null
          claim_no: number
          completed_at: string | null
          created_at: string
          dagster_run_id: string | null
          events_pruned_at: string | null
          id: string
          idempotency_key: string
          interruptions: number
          job_type: string
          lane: string
          last_error: string | null
          leased_until: string | null
          locked_at: string | null
          locked_by: string | null
          max_attempts: number
          payload: NonNullable<Json>
          payload_version: number
          priority: number
          project_id: string
          run_after: string
          started_at: string | null
          status: string
          waits_until: string | null
        }[]
        SetofOptions: {
          from: "*"
          to: "agent_jobs"
          isOneToOne: false
          isSetofReturn: true
        }
      }
      claim_due_emails: {
        Args: {
          p_lease?: string
          p_limit?: number
          p_now?: string
          p_worker: string
        }
        Returns: {
          approval_id: string | null
          attempts: number
          begun_at: string | null
          begun_with: string | null
          category: string
          claim_no: number
          confirms_signup_id: string | null
          confirms_until: string | null
          counted_on: string | null
          created_at: string
          drip_id: string | null
          error: string | null
          html_body: string
          id: string
          leased_until: string | null
          link_marker: string | null
          locked_by: string | null
          outbox_key: string | null
          project_id: string
          provider_message_id: string | null
          reply_to: string | null
          scheduled_for: string
          sender: string
          sent_at: string | null
          status: string
          subject: string
          text_body: string | null
          to_email: string
          unsubscribe_reason: string | null
          vouched_at: string | null
        }[]
        SetofOptions: {
          from: "*"
          to: "email_jobs"
          isOneToOne: false
          isSetofReturn: true
        }
      }
      claimable_by_project: {
        Args: {
          p_lane: string
          p_newer?: Json
          p_project_limit: number
          p_running: Json
        }
        Returns: {
          created_at: string
          id: string
          priority: number
          project_id: string
        }[]
      }
      claimable_by_type: {
        Args: { p_lane: string; p_limit: number; p_newer: Json }
        Returns: {
          created_at: string
          id: string
          priority: number
          project_id: string
        }[]
      }
      claimable_slots: {
        Args: { p_lane: string; p_service_name: string; p_within: string }
        Returns: number
      }
      complete_agent_job: {
        Args: {
          p_claim_no?: number
          p_error?: string
          p_job_id: string
          p_status: string
        }
        Returns: boolean
      }
      conclude_action_execution: {
        Args: {
          p_approval_id: string
          p_done: string
          p_job_id: string
          p_not_done: string
        }
        Returns: undefined
      }
      confirm_waitlist: { Args: { p_signup_id: string }; Returns: string }
      count_page_visit: {
        Args: { p_address: string; p_project_id: string; p_visitor: string }
        Returns: boolean
      }
      database_identity_now: {
        Args: Record<PropertyKey, never>
        Returns: string
      }
      database_is_known: { Args: Record<PropertyKey, never>; Returns: boolean }
      decide_approval: {
        Args: {
          p_approval_id: string
          p_decided_by: string
          p_decision: string
          p_guidance?: string
          p_version: number
        }
        Returns: {
          approval_id: string
          job_id: string
          job_outcome: string
          project_id: string
          project_phase: number
          status: string
          version: number
        }[]
      }
      digest_page: {
        Args: {
          p_after: string
          p_limit: number
          p_since: string
          p_week: string
        }
        Returns: {
          email: string
          user_id: string
        }[]
      }
      digest_projects: {
        Args: { p_limit: number; p_since: string; p_user_id: string }
        Returns: {
          completed: number
          confidence: number
          failed: number
          id: string
          name: string
          pending: number
          phase: number
          total: number
        }[]
      }
      email_hold: {
        Args: {
          p_category: string
          p_project: Database["public"]["Tables"]["projects"]["Row"]
        }
        Returns: string
      }
      email_step_missing: {
        Args: {
          p_approval_id: string
          p_category: string
          p_email: string
          p_project_id: string
          p_step: number
        }
        Returns: boolean
      }
      email_suppression: {
        Args: {
          p_category: string
          p_email: string
          p_project_id: string
          p_sender: string
        }
        Returns: string
      }
      email_wait: { Args: { p_id: string; p_now?: string }; Returns: string }
      end_run_take: {
        Args: { p_ending: string; p_run_id: string; p_worker_id: string }
        Returns: boolean
      }
      enlist_outbox_effect: {
        Args: {
          p_claim_no: number
          p_effect: string
          p_execution_id: string
          p_idempotency_key: string
          p_job_id: string
          p_provider: string
        }
        Returns: {
          approval_id: string | null
          attempts: number
          claim_no: number | null
          created_at: string
          effect: string
          error: string | null
          execution_id: string | null
          id: string
          idempotency_key: string
          job_id: string | null
          note: string | null
          project_id: string
          provider: string
          provider_id: string | null
          request: NonNullable<Json>
          request_sha256: string | null
          resolved_at: string | null
          resolved_by: string | null
          response: Json | null
          sent_at: string | null
          settled_at: string | null
          status: string
          updated_at: string
        }
        SetofOptions: {
          from: "*"
          to: "outbox"
          isOneToOne: true
          isSetofReturn: false
        }
      }
      enqueue_agent_job: {
        Args: {
          p_agent_key: string
          p_idempotency_key: string
          p_job_type: string
          p_lane?: string
          p_max_attempts?: number
          p_payload: Json
          p_payload_version?: number
          p_priority?: number
          p_project_id: string
          p_run_after?: string
        }
        Returns: {
          job_id: string
          outcome: string
          status: string
        }[]
      }
      enqueue_agent_jobs: {
        Args: { p_jobs: Json }
        Returns: {
          job_id: string
          ordinality: number
          outcome: string
          status: string
        }[]
      }
      fail_agent_job: {
        Args: {
          p_claim_no: number
          p_error: string
          p_job_id: string
          p_permanent?: boolean
          p_retry_base?: string
        }
        Returns: string
      }
      finish_action_execution: {
        Args: {
          p_claim_no: number
          p_detail: string
          p_execution_id: string
          p_job_id: string
          p_provider_response?: Json
        }
        Returns: undefined
      }
      finish_email: {
        Args: {
          p_claim_no: number
          p_error?: string
          p_id: string
          p_outcome: string
          p_provider_message_id?: string
          p_retry_in?: string
          p_run: string
        }
        Returns: boolean
      }
      hand_back_agent_job: {
        Args: {
          p_claim_no: number
          p_delay?: string
          p_job_id: string
          p_reason: string
        }
        Returns: string
      }
      hold_action_execution: {
        Args: { p_claim_no: number; p_execution_id: string; p_job_id: string }
        Returns: {
          action_type: string
          approval_id: string
          claim_no: number | null
          created_at: string
          detail: string | null
          id: string
          job_id: string | null
          project_id: string
          provider_response: Json | null
          status: string
          steps: NonNullable<Json>
          updated_at: string
        }
        SetofOptions: {
          from: "*"
          to: "action_executions"
          isOneToOne: true
          isSetofReturn: false
        }
      }
      hold_agent_job: {
        Args: { p_claim_no: number; p_job_id: string }
        Returns: {
          agent_key: string
          attempts: number
          cancel_requested_at: string | null
          claim_no: number
          completed_at: string | null
          created_at: string
          dagster_run_id: string | null
          events_pruned_at: string | null
          id: string
          idempotency_key: string
          interruptions: number
          job_type: string
          lane: string
          last_error: string | null
          leased_until: string | null
          locked_at: string | null
          locked_by: string | null
          max_attempts: number
          payload: NonNullable<Json>
          payload_version: number
          priority: number
          project_id: string
          run_after: string
          started_at: string | null
          status: string
          waits_until: string | null
        }
        SetofOptions: {
          from: "*"
          to: "agent_jobs"
          isOneToOne: true
          isSetofReturn: false
        }
      }
      hold_phase_packet: {
        Args: { p_phase: number; p_project_id: string }
        Returns: undefined
      }
      in_quiet_hours: {
        Args: {
          p_at: string
          p_end: string
          p_start: string
          p_timezone: string
        }
        Returns: boolean
      }
      join_waitlist: {
        Args: {
          p_consent: Json
          p_email: string
          p_letters_a_day: number
          p_metadata: Json
          p_project_id: string
          p_source: string
        }
        Returns: {
          letter_no: number
          project_name: string
          signup_id: string
        }[]
      }
      landing_draft: {
        Args: { p_project_id: string }
        Returns: {
          created_at: string
          created_by: string | null
          filename: string
          id: string
          kind: string
          metadata: NonNullable<Json>
          mime_type: string | null
          phase: number | null
          project_id: string
          size_bytes: number | null
          status: string
          storage_bucket: string
          storage_path: string
        }[]
        SetofOptions: {
          from: "*"
          to: "project_assets"
          isOneToOne: false
          isSetofReturn: true
        }
      }
      leave_waitlist: {
        Args: { p_email: string; p_project_id: string }
        Returns: boolean
      }
      lift_unsubscription: {
        Args: { p_email: string; p_project_id: string }
        Returns: boolean
      }
      mail_in_doubt_since: {
        Args: { p_mail: Database["public"]["Tables"]["email_jobs"]["Row"] }
        Returns: string
      }
      normalised_error: { Args: { p_message: string }; Returns: string }
      not_enrolled: {
        Args: { p_limit?: number; p_project_id?: string }
        Returns: {
          approval_id: string
          email: string
          project_id: string
        }[]
      }
      note_decision: {
        Args: {
          p_approval: Database["public"]["Tables"]["approval_queue"]["Row"]
          p_data?: Json
        }
        Returns: undefined
      }
      note_pipeline_faults: { Args: { p_faults: Json }; Returns: undefined }
      nudge_page: {
        Args: {
          p_after: string
          p_limit: number
          p_now: string
          p_type: string
        }
        Returns: {
          approval_id: string
          email: string
          project_id: string
          project_name: string
          user_id: string
          waiting: number
        }[]
      }
      offered_slots: {
        Args: { p_lane: string; p_service_name: string; p_within: string }
        Returns: number
      }
      packet_runs_ads: { Args: { p_packet: Json }; Returns: boolean }
      place_of_error: { Args: { p_stack: string }; Returns: string }
      project_activity: {
        Args: { p_project_id: string; p_since: string; p_until: string }
        Returns: {
          actions_completed: number
          actions_failed: number
          actions_held: number
          approvals_waiting: number
          decisions: number
          jobs_completed: number
          jobs_failed: number
          leads: number
          mails_failed: number
          mails_held: number
          mails_sent: number
          packets: number
          spent_micros: number
          visits: number
        }[]
      }
      project_kpis: {
        Args: { p_project_id: string }
        Returns: {
          conversion_30d: number
          conversion_7d: number
          currency: string
          foreign_payments_30d: number
          leads_30d: number
          leads_7d: number
          payments_30d: number
          payments_7d: number
          revenue_cents_30d: number
          revenue_cents_7d: number
          traffic_30d: number
          traffic_7d: number
        }[]
      }
      prune_agent_job_deltas: {
        Args: { p_limit?: number; p_older_than: string }
        Returns: number
      }
      prune_agent_job_events: {
        Args: { p_limit?: number; p_older_than: string }
        Returns: {
          events: number
          jobs: number
        }[]
      }
      publication_before: { Args: { p_project_id: string }; Returns: number }
      publish_page: {
        Args: {
          p_approval_id?: string
          p_asset_id?: string
          p_base_url: string
          p_by?: string
          p_content_hash: string
          p_html: string
          p_project_id: string
        }
        Returns: {
          approval_id: string | null
          asset_id: string | null
          content_hash: string
          created_at: string
          html: string
          id: string
          live_url: string
          project_id: string
          publication_no: number
          published_at: string
          published_by: string
          restores_no: number | null
          withdrawn_at: string | null
        }
        SetofOptions: {
          from: "*"
          to: "page_publications"
          isOneToOne: true
          isSetofReturn: false
        }
      }
      put_page_out: {
        Args: {
          p_approval_id: string
          p_asset_id: string
          p_by: string
          p_content_hash: string
          p_html: string
          p_live_url: string
          p_project_id: string
          p_restores_no: number
        }
        Returns: {
          approval_id: string | null
          asset_id: string | null
          content_hash: string
          created_at: string
          html: string
          id: string
          live_url: string
          project_id: string
          publication_no: number
          published_at: string
          published_by: string
          restores_no: number | null
          withdrawn_at: string | null
        }
        SetofOptions: {
          from: "*"
          to: "page_publications"
          isOneToOne: true
          isSetofReturn: false
        }
      }
      queue_email_sequence: {
        Args: { p_approval_id: string; p_emails: string[]; p_now?: string }
        Returns: number
      }
      reclaim_stale_jobs: {
        Args: { p_stale_threshold?: string }
        Returns: number
      }
      recognise_database: {
        Args: Record<PropertyKey, never>
        Returns: undefined
      }
      record_outbox_effect: {
        Args: {
          p_claim_no: number
          p_error?: string
          p_id: string
          p_job_id: string
          p_provider_id?: string
          p_response?: Json
          p_status: string
        }
        Returns: boolean
      }
      record_waitlist_check: {
        Args: {
          p_consent: Json
          p_email: string
          p_job_id: string
          p_project_id: string
          p_source: string
        }
        Returns: boolean
      }
      release_agent_job: {
        Args: { p_claim_no: number; p_job_id: string; p_reason?: string }
        Returns: string
      }
      release_emails: { Args: { p_worker: string }; Returns: number }
      remember_agent_memory: {
        Args: {
          p_agent_key: string
          p_category: string
          p_confidence?: number
          p_key: string
          p_origin?: string
          p_project_id: string
          p_source_job_id?: string
          p_value: string
        }
        Returns: boolean
      }
      renew_agent_job: {
        Args: { p_claim_no: number; p_job_id: string; p_lease: string }
        Returns: {
          cancel_requested: boolean
          leased_until: string
        }[]
      }
      report_worker: {
        Args: {
          p_details: Json
          p_rss_mb?: number
          p_service_name: string
          p_status: string
          p_worker_id: string
        }
        Returns: undefined
      }
      require_queue_room: { Args: { p_ids: string[] }; Returns: undefined }
      reserve_drip: {
        Args: {
          p_digest_week: string
          p_email_type: string
          p_project_id: string
          p_subject: string
          p_to_email: string
          p_user_id: string
        }
        Returns: {
          attempt: number
          drip_id: string
        }[]
      }
      reserve_event_seqs: {
        Args: { p_count: number; p_project_id: string }
        Returns: number
      }
      reserve_model_call: {
        Args: {
          p_agent: string
          p_claim_no: number
          p_job_id: string
          p_micros: number
          p_model: string
          p_project_id: string
          p_step: string
          p_tokens: number
        }
        Returns: string
      }
      resolve_email: {
        Args: {
          p_by: string
          p_id: string
          p_note?: string
          p_provider_message_id?: string
          p_sent: boolean
        }
        Returns: string
      }
      resolve_outbox_effect: {
        Args: {
          p_by: string
          p_id: string
          p_note?: string
          p_provider_id?: string
          p_resolution: string
        }
        Returns: {
          job_id: string
          job_outcome: string
          status: string
        }[]
      }
      revive_agent_job: {
        Args: { p_job_id: string }
        Returns: {
          outcome: string
          status: string
        }[]
      }
      roll_back_page: {
        Args: { p_by: string; p_project_id: string; p_to?: number }
        Returns: {
          approval_id: string | null
          asset_id: string | null
          content_hash: string
          created_at: string
          html: string
          id: string
          live_url: string
          project_id: string
          publication_no: number
          published_at: string
          published_by: string
          restores_no: number | null
          withdrawn_at: string | null
        }
        SetofOptions: {
          from: "*"
          to: "page_publications"
          isOneToOne: true
          isSetofReturn: false
        }
      }
      save_agent_job_step: {
        Args: {
          p_claim_no: number
          p_duration_ms?: number
          p_job_id: string
          p_output: Json
          p_step: string
        }
        Returns: undefined
      }
      save_execution_step: {
        Args: {
          p_claim_no: number
          p_execution_id: string
          p_job_id: string
          p_outcome: Json
          p_step: string
        }
        Returns: undefined
      }
      send_outbox_effect: {
        Args: {
          p_attempts: number
          p_claim_no: number
          p_id: string
          p_job_id: string
          p_request: Json
          p_request_sha256: string
        }
        Returns: {
          approval_id: string | null
          attempts: number
          claim_no: number | null
          created_at: string
          effect: string
          error: string | null
          execution_id: string | null
          id: string
          idempotency_key: string
          job_id: string | null
          note: string | null
          project_id: string
          provider: string
          provider_id: string | null
          request: NonNullable<Json>
          request_sha256: string | null
          resolved_at: string | null
          resolved_by: string | null
          response: Json | null
          sent_at: string | null
          settled_at: string | null
          status: string
          updated_at: string
        }
        SetofOptions: {
          from: "*"
          to: "outbox"
          isOneToOne: true
          isSetofReturn: false
        }
      }
      set_project_status: {
        Args: {
          p_actor: string
          p_project_id: string
          p_reason?: string
          p_status: string
        }
        Returns: {
          approvals_denied: number
          before: string
          jobs_canceled: number
          jobs_revived: number
          jobs_stopping: number
          mails_stopped: number
          outcome: string
          project_id: string
          status: string
        }[]
      }
      settle_abandoned_model_calls: {
        Args: { p_job_id?: string }
        Returns: number
      }
      settle_action_execution: {
        Args: { p_approval_id: string; p_error: string; p_job_id: string }
        Returns: undefined
      }
      settle_model_call: {
        Args: {
          p_call_id: string
          p_duration_ms: number
          p_error?: string
          p_input_tokens: number
          p_micros: number
          p_output_tokens: number
          p_searches: number
          p_status?: string
        }
        Returns: boolean
      }
      settle_outbox_effect: {
        Args: {
          p_claim_no: number
          p_error?: string
          p_id: string
          p_job_id: string
          p_provider_id?: string
          p_response?: Json
          p_status: string
        }
        Returns: {
          approval_id: string | null
          attempts: number
          claim_no: number | null
          created_at: string
          effect: string
          error: string | null
          execution_id: string | null
          id: string
          idempotency_key: string
          job_id: string | null
          note: string | null
          project_id: string
          provider: string
          provider_id: string | null
          request: NonNullable<Json>
          request_sha256: string | null
          resolved_at: string | null
          resolved_by: string | null
          response: Json | null
          sent_at: string | null
          settled_at: string | null
          status: string
          updated_at: string
        }
        SetofOptions: {
          from: "*"
          to: "outbox"
          isOneToOne: true
          isSetofReturn: false
        }
      }
      stand_in_span_id: {
        Args: { p_trace_id: string; p_what: string }
        Returns: string
      }
      start_agent_job: {
        Args: {
          p_claim_no: number
          p_job_id: string
          p_lease: string
          p_run_id: string
        }
        Returns: {
          agent_key: string
          attempts: number
          cancel_requested_at: string | null
          claim_no: number
          completed_at: string | null
          created_at: string
          dagster_run_id: string | null
          events_pruned_at: string | null
          id: string
          idempotency_key: string
          interruptions: number
          job_type: string
          lane: string
          last_error: string | null
          leased_until: string | null
          locked_at: string | null
          locked_by: string | null
          max_attempts: number
          payload: NonNullable<Json>
          payload_version: number
          priority: number
          project_id: string
          run_after: string
          started_at: string | null
          status: string
          waits_until: string | null
        }
        SetofOptions: {
          from: "*"
          to: "agent_jobs"
          isOneToOne: true
          isSetofReturn: false
        }
      }
      store_pipeline_spans: { Args: { p_spans: Json }; Returns: number }
      store_pipeline_traces: { Args: { p_traces: Json }; Returns: number }
      superseding_approval: { Args: { p_approval_id: string }; Returns: string }
      suppress_email: {
        Args: { p_email: string; p_project_id: string; p_reason: string }
        Returns: number
      }
      take_request_slot: {
        Args: {
          p_key: string
          p_limit: number
          p_scope: string
          p_window: string
        }
        Returns: number
      }
      take_run: {
        Args: {
          p_host: string
          p_pid?: number
          p_process_start?: string
          p_run_id: string
          p_worker_id: string
        }
        Returns: boolean
      }
      visitor_hash: { Args: { p_of: string }; Returns: string }
    }
    Enums: {
      [_ in never]: never
    }
    CompositeTypes: {
      [_ in never]: never
    }
  }
}

type DatabaseWithoutInternals = Omit<Database, "__InternalSupabase">

type DefaultSchema = DatabaseWithoutInternals[Extract<keyof Database, "public">]

export type Tables<
  DefaultSchemaTableNameOrOptions extends
    | keyof (DefaultSchema["Tables"] & DefaultSchema["Views"])
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends (DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof (DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"] &
        DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"])
    : never) = never,
> = DefaultSchemaTableNameOrOptions extends {
  schema: keyof DatabaseWithoutInternals
}
  ? (DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"] &
      DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"])[TableName] extends {
      Row: infer R
    }
    ? R
    : never
  : DefaultSchemaTableNameOrOptions extends keyof (DefaultSchema["Tables"] &
        DefaultSchema["Views"])
    ? (DefaultSchema["Tables"] &
        DefaultSchema["Views"])[DefaultSchemaTableNameOrOptions] extends {
        Row: infer R
      }
      ? R
      : never
    : never

export type TablesInsert<
  DefaultSchemaTableNameOrOptions extends
    | keyof DefaultSchema["Tables"]
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends (DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    : never) = never,
> = DefaultSchemaTableNameOrOptions extends {
  schema: keyof DatabaseWithoutInternals
}
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends {
      Insert: infer I
    }
    ? I
    : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
    ? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
        Insert: infer I
      }
      ? I
      : never
    : never

export type TablesUpdate<
  DefaultSchemaTableNameOrOptions extends
    | keyof DefaultSchema["Tables"]
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends (DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    : never) = never,
> = DefaultSchemaTableNameOrOptions extends {
  schema: keyof DatabaseWithoutInternals
}
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends {
      Update: infer U
    }
    ? U
    : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
    ? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
        Update: infer U
      }
      ? U
      : never
    : never

export type Enums<
  DefaultSchemaEnumNameOrOptions extends
    | keyof DefaultSchema["Enums"]
    | { schema: keyof DatabaseWithoutInternals },
  EnumName extends (DefaultSchemaEnumNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"]
    : never) = never,
> = DefaultSchemaEnumNameOrOptions extends {
  schema: keyof DatabaseWithoutInternals
}
  ? DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"][EnumName]
  : DefaultSchemaEnumNameOrOptions extends keyof DefaultSchema["Enums"]
    ? DefaultSchema["Enums"][DefaultSchemaEnumNameOrOptions]
    : never

export type CompositeTypes<
  PublicCompositeTypeNameOrOptions extends
    | keyof DefaultSchema["CompositeTypes"]
    | { schema: keyof DatabaseWithoutInternals },
  CompositeTypeName extends (PublicCompositeTypeNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"]
    : never) = never,
> = PublicCompositeTypeNameOrOptions extends {
  schema: keyof DatabaseWithoutInternals
}
  ? DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"][CompositeTypeName]
  : PublicCompositeTypeNameOrOptions extends keyof DefaultSchema["CompositeTypes"]
    ? DefaultSchema["CompositeTypes"][PublicCompositeTypeNameOrOptions]
    : never

export const Constants = {
  public: {
    Enums: {},
  },
} as const
