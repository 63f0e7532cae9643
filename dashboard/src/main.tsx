import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { BrowserRouter } from 'react-router'
import './styles/tokens.css'
import './styles/base.css'
import './styles/ui.css'
import './styles/shell.css'
import './styles/charts.css'
import './styles/pages.css'
import { ApiError, onSignedOut } from './api/client.ts'
import { queries } from './api/queries.ts'
import { App } from './app/App.tsx'
import { TipProvider } from './ui/Tip.tsx'

const client = new QueryClient({
  defaultOptions: {
    queries: {
      // Events tell what has changed; this is for what they do not.
      staleTime: 20_000,
      // What the service refuses it refuses again.
      retry: (failures, error) => error instanceof ApiError && error.status === 0 && failures < 3,
    },
  },
})
onSignedOut(() => void client.invalidateQueries({ queryKey: queries.me.queryKey }))

const root = document.getElementById('root')
if (!root) throw new Error('index.html has no #root')
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={client}>
      <TipProvider delayDuration={300}>
        <BrowserRouter>
          <App />
        </BrowserRouter>
      </TipProvider>
    </QueryClientProvider>
  </StrictMode>,
)
